"""Someone alone: from `claude mcp add` to an approved refund, following only what the tools' answers say."""

import asyncio
import os
import subprocess
from pathlib import Path

import claude_agent_sdk
import pytest
from flotilla_rehearsal.script import load
from flotilla_rehearsal.server import Rehearsal
from support.processes import BIN, clean_environment
from support.terminal import at_terminal

CLAUDE = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
SCRIPT = r"""
name: alone
agents:
  claude:
    - turns:
        - call: mcp__billing__issue_refund
          id: asked
          arguments: &refund
            {transaction_id: ch_maya_feb_2, amount_minor: 24500, currency: USD, reason: charged twice}
        # The CLI adds a hint of its own to the error of a tool that it had not shown the model yet.
        - say: '{{ errors.asked | regex("\"suggestion\": \"(.*?)\"") }}'
        - call: mcp__billing__issue_refund
          id: again
          arguments: *refund
        - say: "{{ results.again.status }}: {{ results.again.amount_minor }}"
"""


def claude(environment: dict[str, str], *arguments: str | Path) -> str:
    """Run the CLI to its end; what it printed."""
    ran = subprocess.run(
        [CLAUDE, *arguments],
        env=environment,
        cwd=environment["HOME"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture
def mine(tmp_path: Path) -> dict[str, str]:
    return clean_environment(
        tmp_path,
        {
            "CLAUDE_CONFIG_DIR": str(tmp_path / "claude"),
            "ANTHROPIC_API_KEY": "rehearsal",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
    )


async def test_the_answer_of_a_refund_that_waits_is_all_a_person_needs(tmp_path: Path, mine: dict[str, str]) -> None:
    (tmp_path / "alone.yaml").write_text(SCRIPT)
    data = tmp_path / "my data"
    async with Rehearsal(load(tmp_path / "alone.yaml")) as rehearsal:
        mine |= {"ANTHROPIC_BASE_URL": rehearsal.url("claude")}

        def ask(*arguments: str) -> str:
            return claude(mine, "-p", *arguments, "--model", "haiku", "--allowedTools", "mcp__billing")

        add = ("mcp", "add", "billing", "--", BIN / "flotilla-billing", "--home", data, "--demo-data")
        await asyncio.to_thread(claude, mine, *add)
        waiting = await asyncio.to_thread(ask, "Refund the second charge of February.")
        assert waiting.startswith("Ask the user to run `"), waiting
        command = waiting.partition("`")[2].partition("`")[0]
        elsewhere = {"PATH": os.defpath, "HOME": str(tmp_path)}
        code, shown = await asyncio.to_thread(at_terminal, ["sh", "-c", command], elsewhere, "245.00 USD")
        assert code == 0 and "amount: 245.00 USD" in shown, shown
        done = await asyncio.to_thread(ask, "It is approved.", "--continue")
    assert done.strip() == "succeeded: 24500"

"""What a session's CLI is given, and that it lives no longer than whoever started it."""

import asyncio
import os
import selectors
import sys
from pathlib import Path
from typing import Any

import pytest
from flotilla_orchestrator import provider
from flotilla_orchestrator.errors import Failure
from flotilla_orchestrator.sessions.session import run_session
from support.desk import GRANTED, running_desk
from support.sessions import Heard, claude_processes, scripted, session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; setpriv is Linux")

FIND: dict[str, Any] = {"call": GRANTED, "arguments": {"customer_id": "cust_12345"}}
SECRETS = {
    "ANTHROPIC_API_KEY": "sk-ant-inherited",
    "ANTHROPIC_AUTH_TOKEN": "inherited-token",
    "CLAUDE_CODE_OAUTH_TOKEN": "inherited-login",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    "ANTHROPIC_MODEL": "inherited-model",
    "CLAUDE_CODE_USE_BEDROCK": "1",
    "AWS_SECRET_ACCESS_KEY": "inherited-aws",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "A-CANARY": "chirps",  # not a name that a shell could unset
    "CANARY": "sings\nANTHROPIC_API_KEY=in-a-second-line",
}


class Looking(Heard):
    """Reads what the CLI was started with while it waits for a call."""

    environment: dict[str, str]
    arguments: list[str]

    async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
        await super().call_started(call_id, tool, arguments)
        self._look()

    def _look(self) -> None:
        (cli,) = claude_processes(os.getpid())
        variables = Path(f"/proc/{cli}/environ").read_text().rstrip("\0").split("\0")
        self.environment = dict(variable.split("=", 1) for variable in variables)
        self.arguments = Path(f"/proc/{cli}/cmdline").read_text().split("\0")


async def test_a_rehearsed_session_inherits_no_credential_and_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    heard = Looking()
    async with running_desk() as desk, scripted(FIND, {"say": "Done."}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, desk), heard)
    assert result.failure is None
    assert not SECRETS.items() & heard.environment.items()
    assert not {"CANARY", "A-CANARY", "FLOTILLA_KEEP"} & heard.environment.keys()
    assert heard.environment["ANTHROPIC_API_KEY"] == "rehearsal"
    assert heard.environment["CLAUDE_CONFIG_DIR"].startswith(str(tmp_path))
    assert heard.environment["HOME"].startswith(str(tmp_path))


async def test_a_servers_token_reaches_the_server_but_no_command_line(tmp_path: Path) -> None:
    heard = Looking()
    async with running_desk() as desk, scripted(FIND, {"say": "Done."}) as rehearsal:
        environment = {**session(rehearsal, tmp_path).environment, "DESK_TOKEN": "s3cret"}
        servers = {"desk": desk.config(Authorization="Bearer ${DESK_TOKEN}")}
        await run_session(session(rehearsal, tmp_path, desk, servers=servers, environment=environment), heard)
    assert desk.authorization == {"Bearer s3cret"}
    assert not [argument for argument in heard.arguments if "s3cret" in argument]


def test_a_live_provider_passes_its_own_variables_and_no_other_clouds() -> None:
    environ = {"PATH": "/bin", "ANTHROPIC_API_KEY": "sk", "AWS_SECRET_ACCESS_KEY": "aws", "DATABASE_URL": "db"}
    assert provider.live(environ).environment("lead").keys() == {"PATH", "ANTHROPIC_API_KEY", "NO_PROXY"}
    bedrock = provider.live({"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_SECRET_ACCESS_KEY": "aws"}).environment("lead")
    assert bedrock["AWS_SECRET_ACCESS_KEY"] == "aws"


def test_without_a_credential_it_says_what_to_set() -> None:
    with pytest.raises(Failure) as caught:
        provider.live({"PATH": "/bin", "CLAUDE_CODE_USE_BEDROCK": "0", "ANTHROPIC_API_KEY": ""})
    assert caught.value.code == "no_credential"
    assert "ANTHROPIC_API_KEY" in caught.value.suggestion
    assert "--rehearse" in caught.value.suggestion


async def test_a_cancelled_session_ends_its_cli(tmp_path: Path) -> None:
    working = asyncio.Event()

    class Waiting(Heard):
        async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
            await super().call_started(call_id, tool, arguments)
            working.set()
            await asyncio.Event().wait()

    async with running_desk() as desk, scripted(FIND) as rehearsal:
        job = asyncio.create_task(run_session(session(rehearsal, tmp_path, desk), Waiting()))
        await working.wait()
        assert claude_processes(os.getpid())
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
    assert claude_processes(os.getpid()) == []


async def test_a_killed_orchestrator_takes_its_cli_with_it_even_in_the_middle_of_a_call(tmp_path: Path) -> None:
    async with running_desk() as desk:
        orchestrator = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "support.waiting_session", desk.url, tmp_path, cwd=Path(__file__).parents[1]
        )
        try:
            async with asyncio.timeout(20):
                await desk.waiting.wait()
            (cli,) = claude_processes(orchestrator.pid)
            process = os.pidfd_open(cli)
        finally:
            orchestrator.kill()
            await orchestrator.wait()
        try:
            assert await asyncio.to_thread(_ended, process, within_s=5)
        finally:
            os.close(process)


def _ended(process: int, within_s: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(process, selectors.EVENT_READ)  # a pidfd is readable once its process has ended
        return bool(selector.select(within_s))

"""What a person is asked to do comes with the command that does it, however the server was started."""

import os
import shlex
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from flotilla_billing.payments_import import SAMPLE
from flotilla_billing.server import create_server
from flotilla_billing.settings import Settings
from flotilla_kit.identity.keys import SigningKey
from flotilla_kit.terminal.invocation import Invocation
from support.answers import answer_of
from support.processes import BIN, clean_environment, http_server
from support.terminal import at_terminal
from support.tokens import jwks, signed, worker_claims

BILLING = BIN / "flotilla-billing"
REFUND = {"transaction_id": "ch_maya_feb_2", "amount_minor": 24500, "currency": "USD", "reason": "charged twice"}
INTERPRETER = [sys.executable, "-P", "-m", "flotilla_billing"]


async def call(client: Client[Any], tool: str, **arguments: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool(tool, arguments, raise_on_error=False))


def ran(
    command: Sequence[str | Path], environment: Mapping[str, str], cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, env=dict(environment), cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )


def elsewhere(folder: Path) -> dict[str, str]:
    """The environment of a terminal that knows nothing of the server: no home of ours, and nothing of it on PATH."""
    return {"PATH": os.defpath, "HOME": str(folder)}


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLOTILLA_HOME", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


def words(flags: Mapping[str, Any], config: Path | None = None) -> list[str]:
    """Of the command of a server that was started so, up to the sub-command `list`."""
    invocation = Invocation("flotilla_billing", Settings.load(flags, config), flags, config)
    *before, last = shlex.split(invocation.command("list"))
    assert last == "list"
    return before


async def test_the_answers_alone_fill_an_empty_store_and_approve_a_refund(tmp_path: Path) -> None:
    home = tmp_path / "my data"
    home.mkdir()
    with (tmp_path / "log").open("w") as log:
        server = StdioTransport(str(BILLING), [], env=clean_environment(home), cwd=str(tmp_path), log_file=log)
        async with Client(server) as client:
            empty = await call(client, "find_transactions")
            command = empty["details"]["command"]
            assert empty["code"] == "store_empty" and f"run `{command}` in a terminal" in empty["suggestion"]
            filling = [str(SAMPLE) if word == "payments.csv" else word for word in shlex.split(command)]
            assert ran(filling, elsewhere(tmp_path)).returncode == 0
            waiting = await call(client, "issue_refund", **REFUND, idempotency_key="one")
            command = waiting["details"]["command"]
            assert waiting["code"] == "approval_required" and f"run `{command}` in a terminal" in waiting["suggestion"]
            code, shown = at_terminal(["sh", "-c", command], elsewhere(tmp_path), "245.00 USD")
            assert code == 0 and "amount: 245.00 USD" in shown and shown.count("back: ") == 1, shown
            assert (await call(client, "issue_refund", **REFUND, idempotency_key="one"))["status"] == "succeeded"


@asynccontextmanager
async def worker(home: Path, *tools: str) -> AsyncGenerator[Client[Any]]:
    """A worker of a server over HTTP, whose mandate has these tools."""
    key, keys = SigningKey.generate(), home / "issuer.json"
    keys.write_bytes(jwks(key))
    token = signed(key, worker_claims(authorization_details=[{"type": "mcp_tool", "tool": tool} for tool in tools]))
    with http_server("billing", home / "data", "--mandate-keys", str(keys), tokens=True) as running:
        async with Client(StreamableHttpTransport(running.url, auth=token)) as client:
            yield client


async def test_a_worker_over_http_is_told_no_path(tmp_path: Path) -> None:
    async with worker(tmp_path, "find_transactions", "issue_refund") as client:
        empty = await call(client, "find_transactions")
        assert "run `flotilla-billing import payments.csv` in a terminal" in empty["suggestion"]
        assert ran([BILLING, "--home", tmp_path / "data", "import", SAMPLE], elsewhere(tmp_path)).returncode == 0
        waiting = await call(client, "issue_refund", **REFUND, idempotency_key="one")
    assert waiting["suggestion"] == "Once approval_id is approved, make exactly the same call again."
    assert empty["details"] == {} and "command" not in waiting["details"]


async def test_the_only_request_needs_no_id_and_of_several_one_is_named(tmp_path: Path) -> None:
    approve, environment = [BILLING, "approvals", "approve"], clean_environment(tmp_path)
    async with Client(create_server(Settings.load({"home": tmp_path, "demo_data": True}))) as client:
        first = await call(client, "issue_refund", **REFUND, idempotency_key="one")
        code, shown = at_terminal(approve, environment, "nothing")
        assert code == 1 and first["details"]["approval_id"] in shown and "amount: 245.00 USD" in shown
        await call(client, "issue_refund", **REFUND | {"amount_minor": 24400}, idempotency_key="two")
        code, shown = at_terminal(approve, environment)
        assert code == 2 and "several requests are pending" in shown and "approvals list" in shown


@pytest.mark.usefixtures("terminal")
def test_the_interpreter_says_which_installation_and_the_defaults_are_left_out(tmp_path: Path) -> None:
    assert words({}) == INTERPRETER
    assert words({"home": tmp_path / "share" / "flotilla"}) == INTERPRETER
    assert words({"home": tmp_path / "my data"}) == [*INTERPRETER, "--home", str(tmp_path / "my data")]


@pytest.mark.usefixtures("terminal")
def test_a_home_of_the_environment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOTILLA_HOME", str(tmp_path))
    assert words({}) == [*INTERPRETER, "--home", str(tmp_path)]


@pytest.mark.usefixtures("terminal")
def test_a_settings_file_is_named_unless_it_is_found_anyway(tmp_path: Path) -> None:
    (tmp_path / "billing.toml").write_text('database_url = "postgresql://u:s3cret@h/d"\n')
    home = {"home": tmp_path}
    assert words(home) == [*INTERPRETER, "--home", str(tmp_path)]
    (named := tmp_path / "my settings.toml").write_text(f'home = "{tmp_path}"\n')
    assert words({}, named) == [*INTERPRETER, "--home", str(tmp_path), "--config", str(named)]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("address", ["postgresql://h/d", "postgresql://u@h:5433/d", "sqlite:////tmp/a b.db"])
def test_a_database_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    assert words({"database_url": address}) == [*INTERPRETER, "--database-url", address]
    monkeypatch.setenv("DATABASE_URL", address)
    assert words({}) == [*INTERPRETER, "--database-url", address]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:s3cret@h/d",
        "postgresql://u:s3/cret@h/d",
        "postgresql://u:5432/s3cret@h/d",
        "postgresql://h/d?password=s3cret",
        "postgresql:///d?passfile=/s3cret",
    ],
)
def test_no_secret_of_a_database_is_printed(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    invocation = Invocation("flotilla_billing", Settings.load(), {}, None)
    assert words({}) == INTERPRETER
    assert invocation.note == " with this server's DATABASE_URL in the environment"


@pytest.mark.usefixtures("terminal")
def test_a_command_on_the_path_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path := tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{path}:{os.defpath}")
    (path / "flotilla-billing").write_text("#!/bin/sh\n")
    (path / "flotilla-billing").chmod(0o755)
    assert words({}) == INTERPRETER, "it is another installation's"
    (path / "flotilla-billing").unlink()
    (path / "flotilla-billing").symlink_to(BILLING)
    assert words({}) == ["flotilla-billing"]
    monkeypatch.setenv("PATH", f"{BIN}:{os.defpath}")
    assert words({}) == INTERPRETER, "an activated environment is not in the next terminal"


@pytest.mark.usefixtures("terminal")
def test_a_folder_that_agents_write_to_lends_the_command_no_modules(tmp_path: Path) -> None:
    (tmp_path / "flotilla_billing").mkdir()
    (tmp_path / "flotilla_billing" / "__main__.py").write_text("raise SystemExit('from the folder')")
    asked = ran([*words({}), "--version"], elsewhere(tmp_path), cwd=tmp_path)
    assert asked.returncode == 0 and "from the folder" not in asked.stderr

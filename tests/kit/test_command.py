"""The command of every server, as processes with nothing inherited.

Most are forked from one that has imported the servers; what happens before that is tried with the command itself.
"""

import json
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import LATEST_PROTOCOL_VERSION
from support import programs
from support.processes import BIN, clean_environment, http_server
from support.programs import GENEROUS_S

BILLING = BIN / "flotilla-billing"


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return programs.run("flotilla-billing", *arguments, environ=clean_environment(home, environment), folder=home)


def started(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command itself."""
    return subprocess.run(
        [BILLING, *arguments],
        env=clean_environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=GENEROUS_S,
        check=False,
    )


def message(method: str, identifier: int, params: Mapping[str, object]) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}) + "\n"


def test_nothing_but_protocol_is_on_standard_output(tmp_path: Path) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    asked = [
        message("initialize", 1, hello),
        '{"jsonrpc": "2.0", "method": "notifications/initialized"}\n',
        message("tools/list", 2, {}),
        message("tools/call", 3, {"name": "get_transaction", "arguments": {"transaction_id": "nope"}}),
        message("no/such", 4, {}),
    ]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            [BILLING, "--demo-data", "--log-level", "debug"],
            env=clean_environment(tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as server,
    ):
        assert server.stdin is not None and server.stdout is not None
        server.stdin.writelines(asked)
        server.stdin.flush()
        answers = [json.loads(server.stdout.readline()) for _ in range(4)]
        rest, _ = server.communicate(timeout=GENEROUS_S)
    assert {answer["id"] for answer in answers} == {1, 2, 3, 4} and rest == ""
    assert server.returncode == 0
    assert all(json.loads(line)["level"] for line in (tmp_path / "log").read_text().splitlines())


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--http", "127.0.0.1:0"], {}, "--auth none"),
        (["--http", "0.0.0.0:0", "--auth", "none"], {}, "loopback"),
        (["--http", "nonsense", "--auth", "none"], {}, "HOST:PORT"),
        (["--tools", "find_transaction"], {}, "did you mean find_transactions?"),
        ([], {"FLOTILLA_BILLING_READONLY": "1"}, "did you mean FLOTILLA_BILLING_READ_ONLY?"),
        (["--config", "missing.toml"], {}, "missing.toml"),
        (["--refund-max-age-days", "soon"], {}, "refund_max_age_days"),
    ],
)
def test_wrong_settings_are_said_in_one_line(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], said: str
) -> None:
    refused = run(tmp_path, *arguments, **environment)
    assert refused.returncode == 2
    assert said in refused.stderr and "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1 and refused.stdout == ""


@pytest.mark.parametrize("arguments", [["--demo", "tools"], ["tools", "--hel"], ["import", "--hel"]])
def test_a_flag_is_its_whole_name(tmp_path: Path, arguments: list[str]) -> None:
    refused = run(tmp_path, *arguments)
    assert refused.returncode == 2 and refused.stdout == ""


def test_an_unknown_name_in_the_file_names_the_closest(tmp_path: Path) -> None:
    (tmp_path / "billing.toml").write_text("refund_max_age_day = 3\n")
    refused = run(tmp_path, "tools")
    assert refused.returncode == 2 and "did you mean refund_max_age_days?" in refused.stderr


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "billing.toml").write_text('tools = ["get_invoice", "get_refund"]\nread_only = true\n')
    assert "in 2 tools" in run(tmp_path, "tools").stdout
    chosen = {"FLOTILLA_BILLING_TOOLS": '["get_invoice"]'}
    assert "in 1 tools" in run(tmp_path, "tools", **chosen).stdout
    assert "in 3 tools" in run(tmp_path, "--tools", "get_invoice,get_refund,list_invoices", "tools", **chosen).stdout


def test_data_is_kept_in_the_home_that_is_set(tmp_path: Path) -> None:
    run(tmp_path, "import", "x.csv", FLOTILLA_HOME=str(tmp_path / "set"), HOME=str(tmp_path / "other"))
    assert (tmp_path / "set" / "billing.db").exists() and not (tmp_path / "other").exists()


def test_a_dot_env_of_the_folder_is_none_of_its_business(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FLOTILLA_BILLING_READ_ONLY=true\nFASTMCP_LOG_LEVEL=nonsense\n")
    assert "in 10 tools" in started(tmp_path, "tools").stdout


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run(tmp_path, "--http", f"127.0.0.1:{taken.getsockname()[1]}", "--auth", "none")
    assert refused.returncode == 1 and "in use" in refused.stderr and "Traceback" not in refused.stderr


@pytest.mark.parametrize("mode", ["legacy", LATEST_PROTOCOL_VERSION])
async def test_both_protocol_eras_list_and_call(tmp_path: Path, mode: str) -> None:
    with http_server("billing", tmp_path, "--demo-data") as running:
        async with Client(StreamableHttpTransport(running.url), mode=mode) as client:
            assert len(await client.list_tools()) == 10
            found = await client.call_tool("get_transaction", {"transaction_id": "ch_maya_feb_1"})
            assert found.structured_content is not None


def test_health_tells_the_process_and_its_store_apart(tmp_path: Path) -> None:
    with http_server("billing", tmp_path) as running:
        base = running.url.removesuffix("/mcp")
        assert httpx2.get(f"{base}/healthz").json() == {"status": "ok"}
        assert httpx2.get(f"{base}/readyz").json() == {"status": "ok"}


def test_foreign_hosts_and_origins_are_refused(tmp_path: Path) -> None:
    with http_server("billing", tmp_path) as running:
        assert httpx2.post(running.url, headers={"Host": "evil.example"}, json={}).status_code == 421
        assert httpx2.post(running.url, headers={"Origin": "https://evil.example"}, json={}).status_code == 403


@pytest.mark.parametrize("bad", ["1e400", '"\\ud800"', '"a\\u0000b"'])
def test_what_json_or_a_database_cannot_say_is_refused(tmp_path: Path, bad: str) -> None:
    name = "amount_minor" if bad == "1e400" else "transaction_id"
    arguments = f'{{"transaction_id": "ch_maya_feb_1", "{name}": {bad}}}'
    body = (
        '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": '
        f'{{"name": "check_refund_eligibility", "arguments": {arguments}}}}}'
    )
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    with http_server("billing", tmp_path, "--demo-data") as running:
        said = httpx2.post(running.url, headers=headers, content=body.encode()).text
    assert ("isError" in said and "invalid_arguments" in said) or '"error"' in said
    assert "Traceback" not in said and "refundable_minor" not in said


def test_the_server_ends_with_its_parent(tmp_path: Path) -> None:
    with http_server("billing", tmp_path) as running:
        assert running.process.stdin is not None
        running.process.stdin.close()
        assert running.process.wait(10) == 0


def test_termination_closes_the_store(tmp_path: Path) -> None:
    with http_server("billing", tmp_path, "--demo-data") as running:
        running.process.terminate()
        running.process.wait(10)
    assert not os.path.exists(tmp_path / "billing.db-wal")  # noqa: PTH110  SQLite removes it on a clean close

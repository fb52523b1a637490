"""A call whose server is killed under it: once it is back, the model hears how to make the call again."""

import asyncio
import re
import socket
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from flotilla_orchestrator.fleet.circuit_breaker import is_lost
from flotilla_orchestrator.fleet.connection import ServerConnection
from flotilla_orchestrator.mandates.claims import Tool
from flotilla_orchestrator.sessions.lost_calls import advice
from flotilla_orchestrator.sessions.session import run_session
from support.desk import Desk, running_desk
from support.sessions import Heard, scripted, session
from support.stage import DESK

LOST = "ECONNRESET: The socket connection was closed unexpectedly."
READS, CHANGES = Tool({"properties": {"charge_id": {}}}, read_only=True), Tool({"properties": {}}, read_only=False)
KEYED = Tool({"properties": {"charge_id": {}, "idempotency_key": {}}}, read_only=False)


def desk_at(port: int, tool: Tool, name: str = "refund", restart_s: float = 15) -> ServerConnection:
    address: dict[str, Any] = {"url": f"http://127.0.0.1:{port}/mcp", "headers": {}, "variables": {}, "local": True}
    return ServerConnection("desk", **address, audience="", minter=None, tools={name: tool}, restart_s=restart_s)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@asynccontextmanager
async def desk_process(port: int, home: Path) -> AsyncGenerator[Desk]:
    """A help desk in a process of its own, whose tool `die` ends it."""
    flags = ("--http", f"127.0.0.1:{port}", "--auth", "none", "--home", str(home), "--exit-with-stdin")
    process = await asyncio.create_subprocess_exec(*DESK, *flags, stdin=PIPE, stderr=PIPE)
    assert process.stdin and process.stderr
    await process.stderr.readuntil(b"listening")
    yield Desk(f"http://127.0.0.1:{port}/mcp")
    process.stdin.close()
    await process.communicate()


async def test_a_session_goes_on_when_the_server_of_a_call_is_back(tmp_path: Path, port: int) -> None:
    die, find = "mcp__desk__die", "mcp__desk__get_ticket"
    connection = desk_at(port, KEYED, "die")

    async def told(tool: str, arguments: Mapping[str, Any], call_id: str, error: str) -> str | None:
        assert tool == die
        return await advice(connection, "die", arguments, call_id, error)

    found = {"call": find, "arguments": {"ticket_id": "t_1"}}
    async with scripted({"call": die}, found, {"say": "{{ last.customer_id }} {{ heard }}"}) as rehearsal:
        async with desk_process(port, tmp_path) as desk:
            asked = session(rehearsal, tmp_path, desk, grants={die, find}, advice=told, restart_s=15)
            observer = Heard()
            running = asyncio.create_task(run_session(asked, observer))
            while not observer.ended:  # noqa: ASYNC110  the observer has no event
                await asyncio.sleep(0.05)
        assert not (await asyncio.wait([running], timeout=1))[0]
        assert len(rehearsal.requests) == 1, "the model is asked nothing meanwhile"
        async with desk_process(port, tmp_path):
            result = await running
    assert result.failure is None
    assert observer.ended == [(die, "failed"), (find, "ok")]
    assert observer.errors[0] and is_lost(observer.errors[0]), "as the CLI says it"
    advised = r'cust_1 .*No answer came from desk, which answers now\. Make .* with idempotency_key "toolu_\w+"'
    assert re.match(advised, result.text), result.text


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (READS, {}, "again."),
        (KEYED, {}, 'with idempotency_key "toolu_1"'),
        (KEYED, {"idempotency_key": "mine"}, 'with idempotency_key "mine"'),
        (CHANGES, {}, None),
    ],
)
async def test_what_changes_something_is_made_again_under_the_key_of_the_first_call_alone(
    port: int, tool: Tool, arguments: dict[str, str], said: str | None
) -> None:
    async with running_desk(port):
        heard = await advice(desk_at(port, tool), "refund", arguments, "toolu_1", LOST)
    assert (heard is None) is (said is None)
    assert not heard or (said and said in heard)


@pytest.mark.parametrize("error", ['{"code": "not_found", "message": "ECONNRESET"}', "No charge of that name."])
async def test_what_a_server_has_answered_is_not_to_be_asked_again(port: int, error: str) -> None:
    async with running_desk(port):
        assert await advice(desk_at(port, READS), "refund", {}, "toolu_1", error) is None


async def test_of_a_server_that_stays_away_nothing_is_said(port: int) -> None:
    assert await advice(desk_at(port, READS, restart_s=0), "refund", {}, "toolu_1", LOST) is None

"""Calls that take long: progress, limits of time and cancellation, by real clients of real servers in both eras."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from fastmcp.exceptions import McpError
from flotilla_kit import audit
from flotilla_kit.guard.progress import MOST_MESSAGE
from flotilla_kit.server import build_server
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from flotilla_kit.tools import declare
from mcp_types import LATEST_PROTOCOL_VERSION
from pytest import mark, raises
from support.answers import answer_of
from support.processes import clean_environment, http_server
from support.slow_till import TOOLS, Settings, SlowStore

SERVER = [sys.executable, str(Path(__file__).parent.parent / "support" / "slow_till.py")]
LEGACY, MODERN = "legacy", LATEST_PROTOCOL_VERSION
Transport = Literal["stdio", "http"]


@asynccontextmanager
async def client_of(transport: Transport, era: str, home: Path) -> AsyncGenerator[Client[Any]]:
    """A client of a slow till in a process of its own."""
    if transport == "http":
        with http_server("till", home, "--home", str(home), program="support.slow_till") as running:
            async with Client(StreamableHttpTransport(running.url), mode=era) as client:
                yield client
        return
    command = StdioTransport(
        SERVER[0], [*SERVER[1:], "--home", str(home)], env=clean_environment(home), log_file=home / "log"
    )
    async with Client(command, mode=era) as client:
        yield client


async def outcomes(settings: Settings) -> list[str]:
    """What became of each call, as the audit has it."""
    database = await Database.open(store_url(settings), [KIT_MIGRATIONS], read_only=True)
    try:
        return await database.read(lambda connection: [str(record["outcome"]) for record in audit.export(connection)])
    finally:
        await database.close()


async def outcome(home: Path, number: int) -> str:
    """What became of that call, once it has ended and is written."""
    deadline = time.monotonic() + 10
    while len(found := await outcomes(Settings.load({"home": home}))) < number and time.monotonic() < deadline:  # noqa: ASYNC110  another process
        await asyncio.sleep(0.05)
    return found[number - 1]


async def pay(client: Client[Any], key: str, **given: object) -> dict[str, Any]:
    arguments = {"amount": 5, "idempotency_key": key, **given}
    return answer_of(await client.call_tool("pay_slowly", arguments, raise_on_error=False))


async def effects_of(settings: Settings) -> int:
    database = await Database.open(store_url(settings), [KIT_MIGRATIONS], read_only=True)
    try:
        return await database.read(
            lambda connection: int(connection.exec_driver_sql("SELECT count(*) FROM effects").scalar_one())
        )
    finally:
        await database.close()


# Where `notifications/cancelled` reaches nothing: each HTTP request of the older era is a session of its own.
REACHES = [("stdio", LEGACY), ("stdio", MODERN), ("http", MODERN)]


@mark.parametrize(("transport", "era"), [*REACHES, ("http", LEGACY)])
async def test_progress_and_cancellation_by_a_real_client(transport: Transport, era: str, tmp_path: Path) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async with client_of(transport, era, tmp_path) as client:
        assert (await client.call_tool("count", {"to": 12}, progress_handler=on_progress)).data == 12
        assert told[0] == (1, 12, "counting") and [done for done, _, _ in told] == sorted({done for done, _, _ in told})
        assert len(told) <= 12
        # A client that did not ask to be told is not, and gets its answer.
        assert (await client.call_tool("count", {"to": 2})).data == 2

        paying = asyncio.create_task(pay(client, "k", before_s=3))
        await asyncio.sleep(0.5)
        begun = time.monotonic()
        paying.cancel()
        await asyncio.wait([paying])
        if (transport, era) in REACHES:
            assert await outcome(tmp_path, 3) == "cancelled" and time.monotonic() - begun < 2.5
            assert await effects_of(Settings.load({"home": tmp_path})) == 0
            with raises(McpError, match="timed out"):
                await client.call_tool("count", {"to": 1, "every_s": 20}, timeout=0.5)
            assert await outcome(tmp_path, 4) == "cancelled"
        else:
            assert await outcome(tmp_path, 3) == "ok"
        # The same key, whatever became of the call: once.
        assert (await pay(client, "k", before_s=3))["result"] == 5
        assert await effects_of(Settings.load({"home": tmp_path})) == 1


def raw_call(tool: str, era: str, *, asked: bool) -> tuple[dict[str, str], dict[str, object]]:
    """Headers and body of a call that would count for 20 s."""
    meta: dict[str, object] = {"progressToken": "p"} if asked else {}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": era}
    if era == MODERN:
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": tool}
        about = {"protocolVersion": era, "clientCapabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        meta |= {f"io.modelcontextprotocol/{name}": value for name, value in about.items()}
    params = {"name": tool, "arguments": {"to": 1, "every_s": 20}, "_meta": meta}
    return headers, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


async def test_a_closed_http_stream_ends_the_call_in_both_eras_whether_or_not_progress_was_asked_for(
    tmp_path: Path,
) -> None:
    with http_server("till", tmp_path, "--home", str(tmp_path), program="support.slow_till") as running:
        calls = product(("count", "look"), ("2025-11-25", MODERN), (True, False))
        for number, (tool, era, asked) in enumerate(calls, 1):
            headers, body = raw_call(tool, era, asked=asked)
            async with httpx2.AsyncClient(timeout=1) as http:
                with raises(httpx2.ReadTimeout):
                    async with http.stream("POST", running.url, json=body, headers=headers) as answer:
                        async for _ in answer.aiter_lines():
                            pass
            assert await outcome(tmp_path, number) == "cancelled"


async def test_a_cancelled_transaction_happened_or_not_and_has_one_record(database_url: str, tmp_path: Path) -> None:
    settings = Settings.load({"home": tmp_path, "database_url": database_url})
    store = SlowStore(settings)
    async with Client(build_server(settings, store, instructions="", tools=TOOLS)) as client:
        paying = asyncio.create_task(pay(client, "k", within_s=0.5))
        while not (tmp_path / "begun").exists():  # noqa: ASYNC110  another thread makes it
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        paying.cancel()
        await asyncio.wait([paying])
        assert (await pay(client, "k", within_s=0.5))["result"] == 5
    assert await effects_of(settings) == 1
    # SQLite's writer finishes what it began, and the second call answers that; PostgreSQL rolls back.
    assert await outcomes(settings) == (["ok", "ok"] if database_url.startswith("sqlite") else ["cancelled", "ok"])


async def test_a_call_that_times_out_in_its_transaction_has_one_record_of_what_was_done(tmp_path: Path) -> None:
    settings = Settings.load({"home": tmp_path, "tool_timeout_s": 0.2})
    async with Client(build_server(settings, SlowStore(settings), instructions="", tools=TOOLS)) as client:
        late = await pay(client, "k", within_s=0.6)
        assert (late["code"], late["details"]) == ("timed_out", {"idempotency_key": "k"})
        await asyncio.sleep(1)
        assert (await pay(client, "k", within_s=0.6))["result"] == 5
    assert await effects_of(Settings.load({"home": tmp_path})) == 1
    assert await outcomes(settings) == ["ok", "ok"]


async def test_a_tool_may_take_as_long_as_it_declares_unless_an_operator_set_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends(settings: Settings) -> str:
        server = build_server(settings, SlowStore(settings), instructions="", tools=TOOLS)
        async with Client(server) as client:
            answer = await client.call_tool("count", {"to": 1, "every_s": 0.5}, raise_on_error=False)
        return "timed_out" if answer.is_error else "ok"

    monkeypatch.setattr(Settings.model_fields["tool_timeout_s"], "default", 0.1)
    Settings.model_rebuild(force=True)
    try:
        undisturbed = Settings.load({"home": tmp_path})
        assert undisturbed.tool_timeout_s == 0.1 and await ends(undisturbed) == "ok"
    finally:
        monkeypatch.undo()
        Settings.model_rebuild(force=True)
    assert await ends(Settings.load({"home": tmp_path, "tool_timeout_s": 0.1})) == "timed_out"


@mark.parametrize("seconds", [0, -1, 601])
def test_no_tool_can_declare_more_than_ten_minutes(seconds: float) -> None:
    with raises(ValueError, match="timeout_s"):
        declare(timeout_s=seconds)


async def test_progress_is_no_second_way_to_answer(tmp_path: Path) -> None:
    told: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        told.append(message)

    settings = Settings.load({"home": tmp_path})
    async with Client(build_server(settings, SlowStore(settings), instructions="", tools=TOOLS)) as client:
        arguments = {"to": 500, "message": "\x1b[2J" + "x" * 10_000, "every_s": 0}
        await client.call_tool("count", arguments, progress_handler=on_progress)
    assert 1 <= len(told) <= 10
    assert all(message and len(message) <= MOST_MESSAGE and "\x1b" not in message for message in told)

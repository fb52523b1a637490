"""Short calls over HTTP: answered as JSON alone unless they ask for progress, and ended when their caller hangs up."""

import asyncio
import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from flotilla_kit import audit
from flotilla_kit.http.direct import DirectAnswers
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from flotilla_kit.testing.wire import LEGACY, META, MODERN
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from support.processes import http_server
from support.slow_till import Settings

BOTH, JSON = "application/json, text/event-stream", "application/json"


@dataclass(frozen=True)
class Till:
    """A slow till in a process of its own."""

    url: str
    home: Path

    async def answer(self, body: str, headers: Mapping[str, str]) -> httpx2.Response:
        async with httpx2.AsyncClient() as http:
            return await http.post(self.url, content=body, headers={"Content-Type": "application/json", **headers})

    async def last_outcome(self, tool: str) -> str:
        """What became of the last call of a tool, once it is written."""
        database = await Database.open(store_url(Settings.load({"home": self.home})), [KIT_MIGRATIONS], read_only=True)
        try:
            async with asyncio.timeout(10):
                while not (found := await database.read(lambda connection: _outcomes(connection, tool))):  # noqa: ASYNC110  another process
                    await asyncio.sleep(0.02)
            return found[-1]
        finally:
            await database.close()


def _outcomes(connection: Any, tool: str) -> list[str]:
    return [str(record["outcome"]) for record in audit.export(connection) if record["tool"] == tool]


@pytest.fixture
def till(tmp_path: Path) -> Generator[Till]:
    with http_server("till", tmp_path, "--home", str(tmp_path), program="support.slow_till") as running:
        yield Till(running.url, tmp_path)


def call(
    tool: str, era: str = MODERN, accept: str = BOTH, meta: Mapping[str, Any] | None = None, **arguments: Any
) -> tuple[str, dict[str, str]]:
    """Body and headers."""
    said = {**(META if era == MODERN else {}), **(meta or {})}
    params = {"name": tool, "arguments": arguments, "_meta": said}
    headers = {"Accept": accept, "MCP-Protocol-Version": era, "Mcp-Method": "tools/call", "Mcp-Name": tool}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}), headers


@pytest.mark.parametrize("accept", [JSON, "text/event-stream", f"{JSON}, text/plain"])
async def test_a_client_that_takes_no_stream_is_not_told_which_tools_there_are(till: Till, accept: str) -> None:
    answers = [await till.answer(*call(tool, accept=accept)) for tool in ("look", "count", "pay_slowly", "nothing")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(406, "")}


async def way_of(body: str, headers: Mapping[str, str]) -> str:
    """By which of two applications a request is answered, of which `direct` is for calls of `look`."""
    answered: list[tuple[str, bytes]] = []

    def named(name: str) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            del scope, send
            answered.append((name, (await receive())["body"]))

        return answer

    async def receive() -> Message:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    async def send(_: Message) -> None: ...

    app = DirectAnswers(named("streaming"), named("direct"), lambda tool: tool == "look")
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await app({"type": "http", "headers": raw}, receive, send)
    [(name, received)] = answered
    assert received == body.encode()
    return name


@pytest.mark.parametrize(
    ("request_", "way"),
    [
        pytest.param(call("look"), "direct", id="a short call"),
        pytest.param(call("count"), "streaming", id="a call that may be long"),
        pytest.param(call("look", LEGACY), "streaming", id="one of the older era"),
        pytest.param(call("look", accept=JSON), "streaming", id="one that takes no stream"),
        pytest.param(call("look", meta={"progressToken": 1}), "streaming", id="one that asks for progress"),
        pytest.param(call("look", message="\u00e9"), "streaming", id="one with an escape, which could spell that"),
        pytest.param(("{", dict[str, str]()), "streaming", id="anything else"),
    ],
)
async def test_only_short_calls_without_progress_are_answered_directly(
    request_: tuple[str, dict[str, str]], way: str
) -> None:
    assert await way_of(*request_) == way


@pytest.mark.parametrize("spelling", ["progressToken", "progress\\u0054oken"])
async def test_a_short_read_tells_its_progress_to_who_asks_for_it(till: Till, spelling: str) -> None:
    body, headers = call("look", meta={"progressToken": "p"}, to=3, every_s=0.3)
    answer = await till.answer(body.replace("progressToken", spelling), headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [event["params"]["progress"] for event in events[:-1]] == [1, 2, 3]
    assert events[-1]["result"]["structuredContent"] == {"result": 3}


async def test_both_ways_to_answer_say_the_same(till: Till) -> None:
    answers = [
        json.loads((await till.answer(*call(tool, to=2, every_s=0))).text)["result"] for tool in ("look", "count")
    ]
    assert answers[0] == answers[1]


async def test_a_header_that_names_another_tool_than_the_body_is_refused(till: Till) -> None:
    body, headers = call("count")
    answer = await till.answer(body, {**headers, "Mcp-Name": "look"})
    assert answer.status_code == 400 and "error" in answer.json()


@pytest.mark.parametrize("after_s", [0, 0.02, 0.3])
async def test_a_short_read_ends_with_its_callers_connection_however_soon_that_is(till: Till, after_s: float) -> None:
    body, headers = call("look", to=1, every_s=20)
    address = urlsplit(till.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    lines = [f"POST {address.path} HTTP/1.1", f"Host: {address.netloc}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body).encode())
    await writer.drain()
    await asyncio.sleep(after_s)
    writer.close()
    await writer.wait_closed()
    assert await till.last_outcome("look") == "cancelled"


async def test_a_server_serves_on_after_a_caller_hung_up(till: Till) -> None:
    body, headers = call("look", to=1, every_s=20)
    for _ in range(3):
        async with httpx2.AsyncClient(timeout=0.3) as http:
            with pytest.raises(httpx2.ReadTimeout):
                await http.post(till.url, content=body, headers={"Content-Type": "application/json", **headers})
    async with Client(StreamableHttpTransport(till.url), mode=MODERN) as client:
        assert (await client.call_tool("look", {"to": 2})).data == 2

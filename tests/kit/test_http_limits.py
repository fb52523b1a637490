"""What a caller may cost over HTTP: against a whole server process, and in this process with small limits."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from urllib.parse import urlsplit

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from flotilla_kit.http.limits import HttpLimits
from mcp_types import LATEST_PROTOCOL_VERSION
from support.processes import http_server
from support.raw_http import CHUNKED, HOST, MB, POST, Answer, again_and_again, exchange, serving


@pytest.fixture(scope="module")
def billing(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of a billing server as its command starts it."""
    with http_server("billing", tmp_path_factory.mktemp("billing"), "--demo-data") as running:
        yield running.url


async def call(url: str, mode: str) -> None:
    async with Client(StreamableHttpTransport(url), mode=mode) as client:
        found = await client.call_tool("get_transaction", {"transaction_id": "ch_maya_feb_1"})
        assert found.structured_content is not None


def test_the_limits_of_a_server_are_these() -> None:
    assert HttpLimits() == HttpLimits(
        header_bytes=16 * 1024,
        header_count=100,
        header_deadline_s=10,
        body_bytes=MB,
        body_pieces=2048,
        body_deadline_s=20,
        buffered_bytes=8 * MB,
        socket_bytes=64 * 1024,
        max_connections=512,
        keep_alive_s=5,
    )


@pytest.mark.parametrize("mode", ["legacy", LATEST_PROTOCOL_VERSION])
async def test_ordinary_calls_of_both_protocol_eras_pass(billing: str, mode: str) -> None:
    await call(billing, mode)


async def test_a_connection_is_kept_for_further_calls(billing: str) -> None:
    health = b"GET /healthz HTTP/1.1\r\n" + HOST
    twice = await exchange(billing, health + b"\r\n", health + b"Connection: close\r\n\r\n")
    assert twice.body.count(b'"ok"') == 2


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"".join(b"X-%d: a\r\n" % number for number in range(10_000)), id="ten thousand"),
        pytest.param(b"".join(b"X-%d: a\r\n" % number for number in range(100)), id="one too many"),
        pytest.param(b"X: " + b"a" * 20_000 + b"\r\n", id="one of 20 kB"),
    ],
)
async def test_too_many_or_too_long_headers_are_refused(billing: str, headers: bytes) -> None:
    answer = await exchange(billing, POST + headers + b"\r\n")
    assert (answer.status, answer.code) == (431, "headers_too_large")


async def test_headers_that_never_end_are_refused_where_the_limit_is(billing: str) -> None:
    answer = await exchange(billing, POST, until_closed=again_and_again(b"X: " + b"a" * 1000 + b"\r\n"))
    assert (answer.status, answer.code) == (431, "headers_too_large")


async def test_a_second_request_on_a_connection_has_the_same_limits(billing: str) -> None:
    first = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    answer = await exchange(billing, first, POST, b"X: a\r\n" * 100, b"\r\n")
    assert answer.body.startswith(b'{"status":"ok"}HTTP/1.1 431 ')


async def test_a_body_declared_too_large_is_refused_before_it_is_sent(billing: str) -> None:
    answer = await exchange(billing, POST + b"Content-Length: 104857600\r\n\r\n")
    assert (answer.status, answer.code) == (413, "body_too_large")


async def test_a_sender_of_100_mb_is_told_and_cut_off(billing: str) -> None:
    sent_mb = 0

    async def body() -> AsyncGenerator[bytes]:
        nonlocal sent_mb
        while sent_mb < 100:
            sent_mb += 1
            yield b"a" * MB

    answer = await exchange(billing, POST + b"Content-Length: 104857600\r\n\r\n", until_closed=body())
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert sent_mb < 50  # what the server reads on for politeness, and what the sockets hold


async def test_a_chunked_body_is_refused_where_it_passes_the_limit(billing: str) -> None:
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    answer = await exchange(billing, CHUNKED, until_closed=again_and_again(chunk))
    assert (answer.status, answer.code) == (413, "body_too_large")


async def test_a_body_in_chunks_of_one_byte_is_refused(billing: str) -> None:
    answer = await exchange(billing, CHUNKED, b"1\r\na\r\n" * 5000)
    assert (answer.status, answer.code) == (413, "body_too_large")


async def test_what_is_not_http_is_refused_in_the_same_shape(billing: str) -> None:
    answer = await exchange(billing, b"hello?\r\n\r\n")
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_an_ordinary_client_reads_the_refusal_of_what_it_uploads(billing: str) -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.post(billing, content=b"a" * (5 * MB))
    assert answer.status_code == 413 and answer.json()["code"] == "body_too_large"


@pytest.mark.parametrize(("header", "status"), [("Host", 421), ("Origin", 403)])
async def test_a_foreign_host_or_origin_is_refused(billing: str, header: str, status: int) -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.post(billing, headers={header: "http://evil.example"}, json={})
    assert answer.status_code == status


async def test_one_foreign_header_is_refused_whoever_was_let_in_with_the_other(billing: str) -> None:
    mine = f"http://{urlsplit(billing).netloc}"
    async with httpx2.AsyncClient() as client:

        async def status(**headers: str) -> int:
            return (await client.post(billing, headers=headers, json={})).status_code

        for _ in range(2):  # what was decided once may be remembered, what it was decided by may not be mixed up
            assert await status(Origin=mine) == await status() != 403
            assert await status(Origin="http://evil.example") == 403
            assert await status(Host="evil.example", Origin=mine) == 421


async def test_others_are_served_while_hogs_are_kept_waiting(billing: str) -> None:
    slow_heads = [exchange(billing, POST, until_closed=again_and_again(b"X", 0.1)) for _ in range(50)]
    unfinished = POST + b"Content-Length: 1048576\r\n\r\n" + b"a" * (MB - 1)
    hogs = [asyncio.create_task(hog) for hog in (*slow_heads, *(exchange(billing, unfinished) for _ in range(30)))]
    busy, _ = await asyncio.wait(hogs, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert {hog.result().code for hog in busy} == {"server_busy"}  # the room for bodies is full
    for mode in ("legacy", LATEST_PROTOCOL_VERSION):
        await call(billing, mode)
    assert any(not hog.done() for hog in hogs[:50]) and any(not hog.done() for hog in hogs[50:])
    for hog in hogs:
        hog.cancel()
    await asyncio.gather(*hogs, return_exceptions=True)


# With small limits, in this process.


async def test_a_head_that_is_not_whole_in_time_is_refused() -> None:
    refused = Counter[str]()
    async with serving(HttpLimits(header_deadline_s=0.2), refused) as url:
        answer = await exchange(url, POST, until_closed=again_and_again(b"X", 0.05))
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert json.loads(answer.body)["details"]["part"] == "head" and refused == {"request_timeout": 1}


async def test_a_slow_head_after_an_answered_request_is_refused_too() -> None:
    async with serving(HttpLimits(header_deadline_s=0.2, keep_alive_s=60)) as url:
        whole = b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\n"
        answer = await exchange(url, whole, b"GET /mcp HTTP/1.1\r\nX: ", until_closed=again_and_again(b"a", 0.05))
    assert answer.status == 200 and b"HTTP/1.1 408 " in answer.body


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with serving(HttpLimits(header_deadline_s=0.1)) as url:
        assert await exchange(url) == Answer(0, {}, b"")


async def test_an_idle_connection_outlives_the_head_deadline_and_ends_with_its_own() -> None:
    async with serving(HttpLimits(header_deadline_s=0.05, keep_alive_s=1)) as url:
        started = asyncio.get_running_loop().time()
        answer = await exchange(url, b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\n")
        taken = asyncio.get_running_loop().time() - started
    assert answer.status == 200 and b"HTTP/1.1" not in answer.body and taken > 0.5


async def test_a_body_that_is_not_whole_in_time_is_refused() -> None:
    refused = Counter[str]()
    async with serving(HttpLimits(body_deadline_s=0.2), refused) as url:
        answer = await exchange(url, POST + b"Content-Length: 99\r\n\r\n", until_closed=again_and_again(b"X", 0.05))
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert json.loads(answer.body)["details"]["part"] == "body" and refused == {"request_timeout": 1}


async def test_large_bodies_wait_for_room_and_small_ones_do_not() -> None:
    head = b"POST /hold HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n"
    large = b"a" * 100_000
    refused = Counter[str]()
    async with (
        asyncio.timeout(20),
        serving(HttpLimits(buffered_bytes=150_000), refused) as url,
        httpx2.AsyncClient() as client,
    ):
        address = urlsplit(url)
        _, first = await asyncio.open_connection(address.hostname, address.port)
        first.write(head % len(large) + large)
        while (busy := await client.post(f"{url}/mcp", content=large)).status_code == 200:
            pass  # the first has not arrived yet
        assert busy.status_code == 503 and busy.headers["retry-after"] == "1"
        assert busy.json()["code"] == "server_busy" and busy.json()["retryable"] is True
        assert (await client.post(f"{url}/mcp", content=b"small")).text == "small"
        first.close()
        await first.wait_closed()
        while (again := await client.post(f"{url}/mcp", content=large)).status_code == 503:
            pass  # the server has not noticed yet that the first has gone
        assert again.content == large and refused["server_busy"] >= 1


async def test_a_connection_too_many_is_refused() -> None:
    refused = Counter[str]()
    async with serving(HttpLimits(max_connections=1), refused) as url, httpx2.AsyncClient() as client:
        assert (await client.post(f"{url}/mcp", content=b"one")).text == "one"
        answer = await exchange(url)
        assert (answer.status, answer.code) == (503, "server_busy") and refused == {"server_busy": 1}
        assert (await client.post(f"{url}/mcp", content=b"kept")).text == "kept"


async def test_an_answer_is_streamed_through() -> None:
    async with serving(HttpLimits()) as url, httpx2.AsyncClient() as client:
        assert (await client.post(f"{url}/stream", content=b"a" * 70_000)).text == "0:70000;1:70000;2:70000;"


async def test_a_body_of_exactly_the_limit_passes_in_either_framing() -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(4):
            yield b"a" * (MB // 4)

    async with serving(HttpLimits()) as url, httpx2.AsyncClient() as client:
        assert len((await client.post(f"{url}/mcp", content=b"a" * MB)).content) == MB
        assert len((await client.post(f"{url}/mcp", content=chunks())).content) == MB


async def test_garbage_after_a_refusal_is_no_fault_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    refused = Counter[str]()
    async with serving(HttpLimits(body_bytes=10), refused) as url:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(CHUNKED + b"b\r\n" + b"a" * 11 + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.write(b"?\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()
    assert refused == {"body_too_large": 1}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_caller_that_leaves_in_the_middle_of_its_body_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    refused = Counter[str]()
    async with serving(HttpLimits(), refused) as url:
        address = urlsplit(url)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(POST + b"Content-Length: 99\r\n\r\nhalf")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert not refused and not [record for record in caplog.records if record.levelno >= logging.ERROR]

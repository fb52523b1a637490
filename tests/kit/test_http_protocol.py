"""HTTP/1.1 as the kit reads it: what is no plain request is refused, and what is one arrives as it was meant."""

import asyncio
import json
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest
from flotilla_kit.http.limits import HttpLimits
from support.raw_http import CHUNKED, HOST, POST, Answer, again_and_again, exchange, serving

CLOSE = b"Connection: close\r\n"
GET = b"GET /repeat HTTP/1.1\r\n" + HOST


def post(path: bytes, body: bytes, headers: bytes = b"") -> bytes:
    return b"POST %s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n%s" % (path, HOST, headers, len(body), body)


async def given(*pieces: bytes) -> dict[str, Any]:
    """What the application was given of a request."""
    async with serving(HttpLimits()) as url:
        answer = await exchange(url, *pieces)
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(
            POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="length and chunks"
        ),
        pytest.param(
            POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", id="chunks and length"
        ),
        pytest.param(POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", id="two lengths"),
        pytest.param(POST + b"Content-Length: 3, 4\r\n\r\nabcd", id="a list of lengths"),
        pytest.param(POST + b"Content-Length: +3\r\n\r\nabc", id="a length with a sign"),
        pytest.param(POST + b"Content-Length: 0x3\r\n\r\nabc", id="a length in hexadecimal"),
        pytest.param(POST + b"Content-Length: \r\n\r\n", id="an empty length"),
        pytest.param(POST + b"Content-Length: 99999999999999999999\r\n\r\n", id="a length beyond 64 bits"),
        pytest.param(POST + b"Content-Length : 3\r\n\r\nabc", id="white space before the colon of a length"),
        pytest.param(POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", id="white space before a coding's colon"),
        pytest.param(POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", id="a vertical tab before a coding"),
        pytest.param(POST + b"Transfer-Encoding: gzip\r\n\r\n", id="another coding"),
        pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="a second coding"),
        pytest.param(CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="a coding twice"),
        pytest.param(CHUNKED[:-2] + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", id="a coding that is none"),
        pytest.param(CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", id="chunks of the older protocol"),
        pytest.param(CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", id="a chunk's size with a prefix"),
        pytest.param(CHUNKED + b"fffffffffffffffff\r\na\r\n", id="a chunk's size beyond 64 bits"),
        pytest.param(CHUNKED + b"1\r\nab\r\n0\r\n\r\n", id="a chunk longer than its size"),
        pytest.param(CHUNKED + b"1\na\n0\n\n", id="chunks that end with line feeds"),
        pytest.param(CHUNKED + b"1;a\n=b\r\na\r\n0\r\n\r\n", id="a line feed in a chunk's extension"),
        pytest.param(b"POST /mcp HTTP/1.1\n" + HOST + b"\r\n", id="a line feed after the request line"),
        pytest.param(POST + b"A: b\nC: d\r\n\r\n", id="a line feed after a header"),
        pytest.param(POST + b"\n", id="a line feed after the head"),
        pytest.param(POST + b"A: b\rC: d\r\n\r\n", id="a carriage return in a header"),
        pytest.param(POST + b"A: b\r\n c\r\n\r\n", id="a folded header"),
        pytest.param(b"POST /mcp HTTP/1.1\r\n " + HOST + b"\r\n", id="a folded first header"),
        pytest.param(POST + b"A: b\0c\r\n\r\n", id="a zero byte in a value"),
        pytest.param(POST + b"A b: c\r\n\r\n", id="white space in a header's name"),
        pytest.param(POST + b": c\r\n\r\n", id="a header without a name"),
        pytest.param(POST + b"A\r\n\r\n", id="a header without a colon"),
        pytest.param(b"POST /mcp HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(POST + b"Host: evil.example\r\n\r\n", id="two hosts"),
        pytest.param(b"POST /mcp HTTP/2.0\r\n" + HOST + b"\r\n", id="a newer protocol"),
        pytest.param(b"POST /mcp HTTP/0.9\r\n" + HOST + b"\r\n", id="an older protocol"),
        pytest.param(b"GET /mcp\r\n\r\n", id="no protocol"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="a connection's beginning in HTTP/2"),
        pytest.param(b"CONNECT evil.example:80 HTTP/1.1\r\n" + HOST + b"\r\n", id="a tunnel"),
        pytest.param(b"POST /m\xffcp HTTP/1.1\r\n" + HOST + b"\r\n", id="a path that is not ASCII"),
        pytest.param(b"POST /m\tcp HTTP/1.1\r\n" + HOST + b"\r\n", id="a tab in the path"),
    ],
)
async def test_what_two_readers_could_understand_differently_is_refused(request_: bytes) -> None:
    refused = Counter[str]()
    async with serving(HttpLimits(), refused) as url:
        # What would be a request of its own to another reader is none here: one answer, and the connection ends.
        answer = await exchange(url, request_ + GET + b"\r\n")
    assert (answer.status, answer.code) == (400, "invalid_request") and refused == {"invalid_request": 1}


async def test_white_space_around_a_value_is_none_of_it() -> None:
    request = await given(GET + CLOSE + b"A: \t b c \t \r\nB:\r\nC: \t\r\nD:e\r\n\r\n")
    assert request["headers"][2:] == [["a", "b c"], ["b", ""], ["c", ""], ["d", "e"]]


async def test_a_length_with_white_space_after_it_is_that_length() -> None:
    assert (await given(b"POST /repeat HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Length: 3 \r\n\r\nabc"))[
        "body"
    ] == "abc"


async def test_what_follows_a_body_is_no_header_of_its_request() -> None:
    head = b"POST /repeat HTTP/1.1\r\n" + HOST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n"
    request = await given(head + b"3;a=b\r\nabc\r\n0\r\nAuthorization: Bearer x\r\nHost: evil.example\r\n\r\n")
    assert request["body"] == "abc" and [name for name, _ in request["headers"]] == [
        "host",
        "connection",
        "transfer-encoding",
    ]


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_request_that_asks_for_http2_is_answered_in_http1(framing: str) -> None:
    head = b"POST /repeat HTTP/1.1\r\n" + HOST + b"A: b \r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
    head += b"Connection: Upgrade, HTTP2-Settings\r\n"
    body = (
        b"Content-Length: 3\r\n\r\nabc"
        if framing == "length"
        else b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    async with serving(HttpLimits()) as url:
        for pieces in ([head + body], [bytes([byte]) for byte in head + body]):
            answer = await exchange(url, *pieces, GET + CLOSE + b"\r\n")
            first, rest = answer.body.split(b"HTTP/1.1 200 OK", 1)
            assert answer.status == 200 and json.loads(first)["body"] == "abc"
            assert ["a", "b"] in json.loads(first)["headers"]
            assert json.loads(rest.partition(b"\r\n\r\n")[2])["method"] == "GET"


async def test_a_request_byte_by_byte_is_the_same_request() -> None:
    whole = post(b"/repeat", b"abc", CLOSE + b"A: b\r\n")
    assert await given(whole) == await given(*(bytes([byte]) for byte in whole))


async def test_requests_that_follow_at_once_are_answered_in_their_order() -> None:
    bodies = [b"%d" % number for number in range(8)]
    async with serving(HttpLimits()) as url:
        paths = [b"/slow", b"/stream", b"/mcp", b"/mcp", b"/slow", b"/mcp", b"/mcp"]
        requests = [post(path, body) for path, body in zip(paths, bodies, strict=False)]
        answer = await exchange(url, b"".join(requests) + post(b"/mcp", bodies[-1], CLOSE))
    answers = [part.rpartition(b"\r\n\r\n")[2] for part in answer.body.split(b"HTTP/1.1 200 OK\r\n")]
    assert answers[0] == b"0" and [part for part in answers[2:] if part] == bodies[2:]
    assert b"2:1;" in answer.body


async def test_more_requests_at_once_than_may_wait_are_refused_after_the_others() -> None:
    refused = Counter[str]()
    async with serving(HttpLimits(), refused) as url:
        answer = await exchange(url, post(b"/slow", b"first") + post(b"/mcp", b"more") * 100)
    assert answer.body.startswith(b"first") and answer.body.count(b"HTTP/1.1 200") == 8
    assert b"HTTP/1.1 503 Service Unavailable" in answer.body and refused == {"server_busy": 1}


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        pytest.param(b"?\r\n\r\n", 400, id="no request"),
        pytest.param(POST + b"A: b\r\n" * 100 + b"\r\n", 431, id="too many headers"),
        pytest.param(CHUNKED + b"1\r\na\r\n" * 3000, 413, id="too many chunks"),
        pytest.param(CHUNKED + b"?", 400, id="no chunk"),
    ],
)
@pytest.mark.parametrize("path", [b"/slow", b"/mcp"])
async def test_a_refusal_waits_for_the_answers_before_it(path: bytes, bad: bytes, status: int) -> None:
    refused = Counter[str]()
    async with serving(HttpLimits(), refused) as url:
        answer = await exchange(url, post(path, b"one") + post(path, b"two") + bad)
    one, two, refusal = answer.body.split(b"HTTP/1.1 ", 2)
    assert answer.status == 200 and one == b"one" and two.endswith(b"\r\n\r\ntwo")
    assert refusal.startswith(b"%d " % status) and refused.total() == 1


async def test_a_value_that_never_ends_is_refused_where_the_limit_is() -> None:
    async with serving(HttpLimits()) as url:
        answer = await exchange(url, POST + b"A: ", until_closed=again_and_again(b"a" * 1000))
    assert (answer.status, answer.code) == (431, "headers_too_large")


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param((b"1;a=", b"a" * 1000), id="a chunk's extension"),
        pytest.param((b"0\r\nA: ", b"a" * 1000), id="a trailer"),
        pytest.param((b"0\r\n", b"A: b\r\n" * 100), id="trailers"),
    ],
)
async def test_what_surrounds_a_body_is_limited_too(endless: tuple[bytes, bytes]) -> None:
    begin, more = endless
    async with serving(HttpLimits()) as url:
        answer = await exchange(url, CHUNKED + begin, until_closed=again_and_again(more))
    assert (answer.status, answer.code) == (413, "body_too_large")


async def test_an_answer_is_one_packet_and_a_stream_is_told_of_at_once() -> None:
    async with serving(HttpLimits()) as url:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for _ in range(3):
            writer.write(post(b"/mcp", b"whole"))
            assert (await reader.read(65536)).endswith(b"\r\n\r\nwhole")
        writer.write(GET.replace(b"GET /repeat", b"HEAD /mcp") + b"\r\n")
        assert b"content-length: 0\r\n" in await reader.read(65536)
        writer.write(post(b"/mcp", b"again") + GET.replace(b"repeat", b"hold") + b"\r\n")
        assert (await reader.read(65536)).endswith(b"\r\n\r\nagain")
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async with serving(HttpLimits()) as url:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(POST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await reader.read()).endswith(b"\r\n\r\nabc")
        writer.close()
        await writer.wait_closed()


async def test_a_client_of_the_older_protocol_is_answered_once() -> None:
    async with serving(HttpLimits()) as url:
        answer = await exchange(url, b"GET /repeat HTTP/1.0\r\n\r\n" * 2)
    assert answer.status == 200 and b"HTTP/1.1" not in answer.body


async def test_an_empty_connection_is_no_request() -> None:
    async with serving(HttpLimits(header_deadline_s=0.1)) as url:
        assert await exchange(url) == Answer(0, {}, b"")

"""HTTP/1.1 connections to a server under test.

They know as much of HTTP as its answers have, so that a call costs little more than the server's own time.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from .wire import Answer

ANSWERS_S = 60
_IDLE_S = 2  # far from the seconds after which the server closes one that is idle
_PASSING = (b"date", b"content-length")  # headers that say nothing of what is answered
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connections:
    """Connections to one address, kept open between requests."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._idle: list[tuple[Streams, float]] = []
        """With when it was last used."""

    async def post(self, content: bytes, said: Mapping[str, bytes]) -> Answer:
        """The answer to one request."""
        async with asyncio.timeout(ANSWERS_S):
            reader, writer = await self._open()
            try:
                writer.write(self._request(content, said))
                head = await reader.readuntil(b"\r\n\r\n")
                status, headers = _read_head(head)
                body = await _read_body(reader, dict(headers))
            except BaseException:
                writer.close()
                raise
        if dict(headers).get(b"connection") == b"close":
            writer.close()
        else:
            self._idle.append(((reader, writer), time.monotonic()))
        return Answer(status, body.decode(), tuple(line for line in headers if line[0] not in _PASSING))

    async def exchange(self, content: bytes, said: Mapping[str, bytes]) -> bytes:
        """All the bytes of the answer to one request on a connection of its own, its date apart."""
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        try:
            writer.write(self._request(content, {"Connection": b"close", **said}))
            received = await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()
        answer, dates = re.subn(rb"(?im)^date: .*\r\n", b"", received, count=1)
        assert dates == 1 and answer.startswith(b"HTTP/1.1 "), f"no HTTP answer: {answer[:200]!r}"
        return answer

    async def close(self) -> None:
        for (_, writer), _ in self._idle:
            writer.close()
            await writer.wait_closed()
        self._idle.clear()

    async def _open(self) -> Streams:
        """One that was used a moment ago, or a new one."""
        while self._idle:
            (reader, writer), used_at = self._idle.pop()
            if time.monotonic() - used_at < _IDLE_S and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._address.hostname, self._address.port)

    def _request(self, content: bytes, said: Mapping[str, bytes]) -> bytes:
        lines = [f"POST {self._address.path} HTTP/1.1".encode(), b"Host: " + self._address.netloc.encode()]
        lines += [
            b"Content-Length: %d" % len(content),
            *(name.encode() + b": " + value for name, value in said.items()),
        ]
        return b"\r\n".join([*lines, b"", content])


def _read_head(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    first, *lines = head[:-4].split(b"\r\n")
    assert first.startswith(b"HTTP/1.1 "), f"no HTTP answer: {head[:200]!r}"
    headers = [line.partition(b": ") for line in lines]
    return int(first.split()[1]), [(name.lower(), value) for name, _, value in headers]


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[bytes, bytes]) -> bytes:
    if headers.get(b"transfer-encoding") != b"chunked":
        return await reader.readexactly(int(headers[b"content-length"]))
    pieces: list[bytes] = []
    while size := int(await reader.readline(), 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    await reader.readline()
    return b"".join(pieces)

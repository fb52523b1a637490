"""What one caller may cost over HTTP: bounds on heads, bodies, time and connections, held before any other code runs.

`LimitedProtocol` (protocol.py) bounds a request's head while uvicorn reads it, `LimitedApp` its body before the
application sees the call. Without them 10,000 headers held up all callers for 1.7 s, 60 unfinished bodies cost 240 MB,
and a head sent byte by byte kept its connection for ever (measured on FastMCP 4.1.2 with uvicorn).

HttpRefusal
├── HeadersTooLarge   431
├── BodyTooLarge      413
├── RequestTimeout    408
├── ServerBusy        503
└── InvalidRequest    400
"""

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import FlotillaError

_SMALL_BODY_BYTES = 16 * 1024  # not counted into `buffered_bytes`: hogs of large bodies cannot shut out ordinary calls
# A connection that closes with data unread resets, and a client that is still sending never reads the refusal: so read
# on, within bounds (nginx's lingering close).
LINGER_S = 1.0
_LINGER_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class HttpLimits:
    """Bytes, seconds and counts. The defaults suit MCP calls, which are a few kilobytes long and sent in one go."""

    header_bytes: int = 16 * 1024
    """A request's line and headers together."""
    header_count: int = 100
    header_deadline_s: float = 10
    """From connecting, or from the first byte after an idle time, to a whole head."""
    body_bytes: int = 1024 * 1024
    body_pieces: int = 2048
    """Chunks or packets: reading one takes its time however small it is."""
    body_deadline_s: float = 20
    """From the head to a whole body."""
    buffered_bytes: int = 8 * 1024 * 1024
    """The bodies of all calls under way together, without the first 16 KiB of each."""
    socket_bytes: int = 64 * 1024
    """A connection's receive buffer: what arrives before anybody can say no."""
    max_connections: int = 512
    keep_alive_s: int = 5
    read_deadline_s: float = 20
    """How long an answer may wait for its reader: a connection that never reads keeps a place from others."""

    def for_one_of(self, workers: int) -> "HttpLimits":
        """The share of one worker, so that all of them together stay within these; one body always has room."""
        return replace(
            self,
            buffered_bytes=max(self.buffered_bytes // workers, self.body_bytes),
            max_connections=math.ceil(self.max_connections / workers),
        )


class HttpRefusal(FlotillaError):
    """A request refused before it reached the server's protocol; the connection closes after the answer."""

    status: ClassVar[HTTPStatus]

    def headers(self, body: bytes, content_type: str) -> list[tuple[bytes, bytes]]:
        retry = [(b"retry-after", b"1")] if self.status == HTTPStatus.SERVICE_UNAVAILABLE else []
        length = str(len(body)).encode()
        return [
            (b"content-type", content_type.encode()),
            (b"content-length", length),
            (b"connection", b"close"),
            *retry,
        ]


class HeadersTooLarge(HttpRefusal):
    code = "headers_too_large"
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__(
            f"A request may have {limits.header_count} headers and {limits.header_bytes} bytes of them.",
            suggestion="Send fewer or shorter headers.",
            details={"max_headers": limits.header_count, "max_bytes": limits.header_bytes},
        )


class BodyTooLarge(HttpRefusal):
    code = "body_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limits: HttpLimits) -> None:
        super().__init__(
            f"A request's body may have {limits.body_bytes} bytes, in at most {limits.body_pieces} pieces.",
            suggestion="Send less in one call.",
            details={"max_bytes": limits.body_bytes, "max_pieces": limits.body_pieces},
        )


class RequestTimeout(HttpRefusal):
    code = "request_timeout"
    status = HTTPStatus.REQUEST_TIMEOUT
    retryable = True

    def __init__(self, part: str, seconds: float) -> None:
        super().__init__(
            f"The request's {part} was not complete after {seconds:g} s.",
            suggestion="Send the whole request at once.",
            details={"part": part, "max_seconds": seconds},
        )


class ServerBusy(HttpRefusal):
    code = "server_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retryable = True

    def __init__(self) -> None:
        super().__init__("The server has too much under way.", suggestion="Try again in a second.")


class InvalidRequest(HttpRefusal):
    code = "invalid_request"
    status = HTTPStatus.BAD_REQUEST

    def __init__(self) -> None:
        super().__init__("This is not a valid HTTP/1.1 request.", suggestion="Use an HTTP/1.1 client.")


Describe = Callable[[HttpRefusal], tuple[bytes, str]]
"""The body that tells of a refusal, and its content type."""


def _as_json(refusal: HttpRefusal) -> tuple[bytes, str]:
    return str(refusal).encode(), "application/json"


def _ignore(_: str) -> None:
    """Nobody counts refusals."""


class LimitedApp:
    """An ASGI application that is called with whole bodies only; answers to the caller pass through untouched.

    Args:
        refused: told the code of each refusal, of the protocol's as well.
        describe: how a refusal is told to its caller.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: HttpLimits,
        refused: Callable[[str], None] = _ignore,
        describe: Describe = _as_json,
    ) -> None:
        self.limits = limits
        self.refused, self.describe = refused, describe
        self._app = app
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = await self._read(scope, receive)
        if body is None:
            return
        if isinstance(body, HttpRefusal):
            self.refused(body.code)
            await self._answer(body, receive, send)
            return
        room = _counted(len(body))
        self._buffered += room
        try:
            await self._app(scope, _replay(body, receive), send)
        finally:
            self._buffered -= room

    async def _read(self, scope: Scope, receive: Receive) -> bytes | HttpRefusal | None:
        """The whole body, or why there is none; None if the caller went away.

        A refusal is returned, not raised: its traceback would keep what was read while the connection lingers.
        """
        if _declared_length(scope) > self.limits.body_bytes:
            return BodyTooLarge(self.limits)
        body = bytearray()  # not a list of pieces: a byte in a message of its own takes 300
        room = 0
        try:
            async with asyncio.timeout(self.limits.body_deadline_s):
                while (message := await receive())["type"] == "http.request":
                    body += message.get("body", b"")
                    if len(body) > self.limits.body_bytes:
                        return BodyTooLarge(self.limits)
                    self._buffered += _counted(len(body)) - room
                    room = _counted(len(body))
                    if self._buffered > self.limits.buffered_bytes:
                        return ServerBusy()
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            return RequestTimeout("body", self.limits.body_deadline_s)
        finally:
            self._buffered -= room
        return None

    async def _answer(self, refusal: HttpRefusal, receive: Receive, send: Send) -> None:
        body, content_type = self.describe(refusal)
        headers = refusal.headers(body, content_type)
        await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        unread = _LINGER_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while unread > 0 and (message := await receive())["type"] == "http.request":
                    unread -= len(message.get("body", b""))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _has_body(scope: Scope) -> bool:
    return any(name == b"transfer-encoding" for name, _ in scope["headers"]) or _declared_length(scope) > 0


def _declared_length(scope: Scope) -> int:
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _counted(size: int) -> int:
    return max(0, size - _SMALL_BODY_BYTES)


def _replay(body: bytes, receive: Receive) -> Receive:
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return unread.pop() if unread else await receive()

    return replay

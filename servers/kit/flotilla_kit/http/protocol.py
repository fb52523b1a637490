"""uvicorn's HTTP/1.1 over httptools, within `HttpLimits`, and as strict about a request's head as h11."""

import asyncio
from typing import Any

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from .limits import (
    LINGER_S,
    BodyTooLarge,
    HeadersTooLarge,
    HttpRefusal,
    InvalidRequest,
    LimitedApp,
    RequestTimeout,
    ServerBusy,
)

_WAITING_REQUESTS = 8  # of one connection: each is parsed, and held, before those ahead of it are answered
_FRAMING_BYTES = 16  # around a chunk: its size and its line ends


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 over httptools with the limits of the `LimitedApp` that it serves; refusals are JSON."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # uvicorn's type
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        if not isinstance(config.app, LimitedApp):
            raise TypeError("LimitedProtocol takes its limits from the LimitedApp that it serves")
        self._serves, self._limits = config.app, config.app.limits
        self._in_head = True  # from the end of a request to the end of the next one's head
        self._head_bytes = 0
        self._body_pieces = 0
        self._held_bytes = 0  # that were read and are neither of a whole head nor of a body: the parser may hold them
        self._refusal: HttpRefusal | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # as uvicorn's own
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # told of every byte that its reader leaves waiting
        if len(self.connections) > self._limits.max_connections:
            self._refuse(ServerBusy())
            transport.close()  # at once: one that lingers would take the place of a caller
        else:
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head_timer, self._lingering, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        self._unset_keepalive_if_required()
        self._held_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_anew(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            refusal = error.__context__  # what a method below raised
            self._refuse(refusal if isinstance(refusal, HttpRefusal) else InvalidRequest())
            return
        if self._in_head:
            if self._held_bytes > self._limits.header_bytes:
                self._refuse(HeadersTooLarge(self._limits))
        elif self._held_bytes > self._limits.header_bytes + _FRAMING_BYTES * self._limits.body_pieces:
            self._refuse(BodyTooLarge(self._limits))
        self._watch_head()

    # What the parser calls. A refusal that is raised comes out of its `feed_data`.

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= _WAITING_REQUESTS:
            raise ServerBusy()
        super().on_message_begin()
        self._head_bytes = self._body_pieces = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:  # in a trailer, where it would count as one of the request's own
            return
        self._head_bytes += len(name) + len(value) + 4
        if len(self.headers) >= self._limits.header_count or self._head_bytes > self._limits.header_bytes:
            raise HeadersTooLarge(self._limits)
        super().on_header(name, value.strip(b" \t"))  # the parser leaves the white space that may follow a value

    def on_headers_complete(self) -> None:
        if self._head_bytes + len(self.url) > self._limits.header_bytes:
            raise HeadersTooLarge(self._limits)
        if not _is_plain(self.parser, self.headers):
            raise InvalidRequest()
        if self.parser.should_upgrade():
            return  # see `_read_anew`
        super().on_headers_complete()
        self.cycle.transport = _AnswerTransport(self.transport, self.cycle)  # pyright: ignore[reportAttributeAccessIssue]  # all that a cycle asks of one
        self._in_head = False
        self._held_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._held_bytes -= len(body)
        self._body_pieces += 1
        if self._body_pieces > self._limits.body_pieces:
            raise BodyTooLarge(self._limits)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._in_head = True
        self._held_bytes = 0

    def _read_anew(self, rest: bytes) -> None:
        """Read a request that asks for another protocol as if it did not: there is none to change to.

        The parser takes what follows such a head for that protocol, and a body may follow. Java's client asks for
        HTTP/2 with each request.
        """
        lines = [
            b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode()),
            *(b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"),
        ]
        self.parser = httptools.HttpRequestParser(self)
        self._held_bytes = 0
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    # Answers

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._refusal is not None:
            self._refuse(self._refusal)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self._limits.read_deadline_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _is_next(self) -> bool:
        """Whether all requests are answered that came before the one being read."""
        if self._in_head:
            return self.cycle is None or self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]  # None before the first request
        return not self.pipeline

    def _watch_head(self) -> None:
        """While a head is being received its timer runs; between requests uvicorn's keep-alive timer does."""
        receiving = self._in_head and self.timeout_keep_alive_task is None and self._is_next()
        if receiving and self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.header_deadline_s, self._head_is_late)
        elif not receiving and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        if self._held_bytes:
            self._refuse(RequestTimeout("head", self._limits.header_deadline_s))
        else:  # a connection opened in advance: an answer to nothing would confuse its client
            self.transport.close()

    def _refuse(self, refusal: HttpRefusal) -> None:
        """Read no further, and answer with the refusal once it is this request's turn."""
        if self.transport.is_closing() or self._lingering is not None:
            return
        self._refusal = refusal.with_traceback(None)  # which holds what was read
        if not self._is_next():
            return
        if not self._in_head:
            if self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._serves.refused(refusal.code)
        self._unset_keepalive_if_required()
        if self._head_timer is not None:
            self._head_timer.cancel()
        self.transport.write(_as_bytes(refusal, *self._serves.describe(refusal)))
        self.transport.write_eof()
        self._lingering = self.loop.call_later(LINGER_S, self.transport.abort)


class _AnswerTransport:
    """The transport as an answer uses it: the head goes out with the body, for each write is a packet.

    Only where the body follows at once: a stream's head has no length, and its reader waits for the head.
    """

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self._transport, self._cycle = transport, cycle
        self._head = b""
        self._begun = False
        self.is_closing, self.close = transport.is_closing, transport.close

    def write(self, data: bytes) -> None:
        if self._begun:
            data, self._head = self._head + data, b""
        elif self._cycle.response_started:  # else it is `100 Continue`
            self._begun = True
            if self._cycle.chunked_encoding is False and self._cycle.scope["method"] != "HEAD":
                self._head = data
                return
        self._transport.write(data)


def _is_plain(parser: httptools.HttpRequestParser, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a head has nothing that the parser lets pass and that proxies in front may understand differently."""
    version = parser.get_http_version()
    hosts = sum(name == b"host" for name, _ in headers)
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    return (
        parser.get_method() != b"CONNECT"
        and (hosts == 1 if version == "1.1" else version == "1.0" and hosts <= 1)
        and (not codings or (codings == [b"chunked"] and version == "1.1"))
    )


def _as_bytes(refusal: HttpRefusal, body: bytes, content_type: str) -> bytes:
    lines = [
        b"HTTP/1.1 %d %s" % (refusal.status, refusal.status.phrase.encode()),
        *(b"%s: %s" % header for header in refusal.headers(body, content_type)),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body

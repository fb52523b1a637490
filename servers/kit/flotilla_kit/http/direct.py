"""Short calls, answered as JSON without the stream that a longer call may need for its progress."""

import asyncio
from collections.abc import Callable

from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PROGRESS = b'"progressToken"'
_ESCAPE = b"\\u"  # JSON may spell any word with them
_ACCEPT = b"application/json, text/event-stream"  # as the SDKs' clients write it
_MODERN = frozenset(version.encode() for version in MODERN_PROTOCOL_VERSIONS)
_UNWATCHED_S = 0.05  # most calls have been answered by then


class DirectAnswers:
    """An ASGI application that has short calls answered by `direct`, and everything else by `streaming`.

    An SDK that may have to stream runs two tasks for each call and a channel between them, a seventh of a read. One
    that answers in JSON alone tells no progress, keeps no silent connection alive, and does not notice that its caller
    hung up. So it gets calls of tools that are `short` and that ask for no progress, and hanging up is watched for
    here.

    Args:
        streaming: the server, with answers that become streams where they have to.
        direct: the same server, with answers as JSON alone.
        short: whether a call of the tool of that name is.
    """

    def __init__(self, streaming: ASGIApp, direct: ASGIApp, short: Callable[[str], bool]) -> None:
        self._streaming, self._direct, self._short = streaming, direct, short

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_short(scope):
            await self._streaming(scope, receive, send)
            return
        first = await receive()  # the whole body: see `LimitedApp`
        unread: list[Message] = [first]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        body = first.get("body", b"")
        if _PROGRESS in body or _ESCAPE in body:
            await self._streaming(scope, replay, send)
        else:
            await self._answer(scope, replay, receive, send)

    def _is_short(self, scope: Scope) -> bool:
        headers = dict(reversed(scope["headers"]))  # of several the first, as the SDK has it
        return (
            # Only then do both give the same answers: what they answer must not tell which tools there are.
            headers.get(b"accept") == _ACCEPT
            # In the newer era a header that names another tool than the body is refused.
            and headers.get(b"mcp-protocol-version") in _MODERN
            and self._short(headers.get(b"mcp-name", b"").decode("latin-1"))
        )

    async def _answer(self, scope: Scope, replay: Receive, receive: Receive, send: Send) -> None:
        """Have it answered, and cancelled once its caller has hung up; `receive` has nothing else left to say."""
        loop, answering = asyncio.get_running_loop(), asyncio.current_task()
        assert answering is not None
        watch: asyncio.Task[None] | None = None
        hung_up = False

        async def cancel_with_caller() -> None:
            nonlocal hung_up
            while (await receive())["type"] != "http.disconnect":
                pass
            hung_up = True
            answering.cancel()

        def begin_watch() -> None:
            nonlocal watch
            watch = loop.create_task(cancel_with_caller())

        timer = loop.call_later(_UNWATCHED_S, begin_watch)
        try:
            await self._direct(scope, replay, send)
        except asyncio.CancelledError:
            if not hung_up:
                raise
            answering.uncancel()
        finally:
            timer.cancel()
            if watch is not None:
                watch.cancel()

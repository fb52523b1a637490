"""The audit of what never reaches the guard: a record for each refusal of a known caller, counts for unknown ones.

Unknown callers cost a record every few seconds at most, however many they are: else the audit itself would be a way to
stop the server.
"""

import asyncio
from collections import Counter
from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..audit import Record
from ..errors import StoreUnavailable
from ..guard.middleware import REACHED, Guard
from ..identity.auth import Caller
from ..identity.principal import Principal

COUNT_EVERY_S = 5.0
_MOST_REASONS = 64
_ERROR = b'"error":'
_COUNTED: ContextVar[bool] = ContextVar("counted", default=False)
"""Whether the request being served was counted: a token that is refused is, with its reason, before the answer."""


class HttpAudit:
    """An ASGI application around the server's, with the counts of those it does not know."""

    def __init__(self, guard: Guard, path: str = "/mcp") -> None:
        self._guard, self._path = guard, path
        self._counts: Counter[str] = Counter()

    def count(self, reason: str) -> None:
        """A caller who is not known was refused."""
        _COUNTED.set(True)
        self._counts[reason if reason in self._counts or len(self._counts) < _MOST_REASONS else "other"] += 1

    async def write_counts(self) -> None:
        """Forever, now and then: a record for each reason there was."""
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            self._write()

    def around(self, app: ASGIApp) -> ASGIApp:
        async def audited(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await app(scope, lambda: self._last_word(receive), send)
                return
            if scope["type"] != "http" or scope["path"] != self._path:
                await app(scope, receive, send)
                return
            _COUNTED.set(False)
            status, failed = 0, False

            async def watch(message: Message) -> None:
                nonlocal status, failed
                if message["type"] == "http.response.start":
                    status = message["status"]
                elif not scope.get(REACHED):
                    failed = failed or _ERROR in message.get("body", b"")
                await send(message)

            await app(scope, receive, watch)
            if not scope.get(REACHED) and (status >= 400 or failed):
                self._refused(scope, status)

        return audited

    def _refused(self, scope: Scope, status: int) -> None:
        principal = self._guard.local or _caller(scope)
        if principal is None:
            if not _COUNTED.get():
                self.count("no_token" if status == 401 else f"http_{status}")
            return
        record = Record(
            tool=Headers(scope=scope).get("mcp-name", "")[:64] or "http",
            principal=principal.kind,
            subject=principal.subject,
            run=principal.run,
            token_id=principal.token_id,
        )
        record.ended(f"http_{status}")
        self._add(record)

    async def _last_word(self, receive: Receive) -> Message:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            self._write()
        return message

    def _write(self) -> None:
        for reason, count in list(self._counts.items()):
            if self._add(Record(tool="http", principal="unknown", subject="", outcome=reason, count=count)):
                del self._counts[reason]

    def _add(self, record: Record) -> bool:
        """Whether it was taken. If not: the request was refused already, so there is nothing left to refuse."""
        try:
            self._guard.trail.committer.add(record)
        except StoreUnavailable:
            return False
        return True


def _caller(scope: Scope) -> Principal | None:
    token = getattr(scope.get("user"), "access_token", None)
    return token.principal if isinstance(token, Caller) else None

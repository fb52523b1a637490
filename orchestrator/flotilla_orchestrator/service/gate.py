"""What every request passes before the application sees it: who calls, how often, with what; and the access log."""

import logging
import time
from typing import Any

from flotilla_kit.guard.rate_limit import RateLimit
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Failure
from .authentication import Authentication
from .callers import Caller
from .problems import answer

logger = logging.getLogger("flotilla.access")

_OPEN = {"/healthz", "/readyz", "/openapi.json"}
_JSON = "application/json"


class Gate:
    """An ASGI application in front of another one.

    Args:
        calls_per_s: of each caller, in bursts of five seconds' worth.
    """

    def __init__(self, app: ASGIApp, authentication: Authentication, calls_per_s: float) -> None:
        self._app, self.authentication = app, authentication
        self._limit = RateLimit(calls_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        logged = _Logged(scope, send)
        try:
            await self.admit(scope)
        except Failure as failure:
            await self.refusal(scope, failure)(scope, receive, logged.send)
        else:
            try:
                await self._app(scope, receive, logged.send)
            except Exception:
                if not logged.status:  # else it is answered, and logged with its error id
                    raise
        finally:
            logged.write()

    def refusal(self, scope: Scope, failure: Failure) -> ASGIApp:
        """The answer to whoever is not admitted."""
        return answer(failure, headers=_challenge(failure))

    async def admit(self, scope: Scope) -> None:
        """Raises Failure unless the request may go on; whose it is, is in the scope's state then."""
        headers = Headers(scope=scope)
        if scope["path"] not in _OPEN:
            caller = await self.authentication.caller(headers)
            self.count(scope, caller)
        sends = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if sends and headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            raise Failure("media_type", f"A body is {_JSON} here.", f"Send `Content-Type: {_JSON}`.")

    def count(self, scope: Scope, caller: Caller) -> None:
        """Note in the scope's state whose the request is; raises Failure `rate_limited`."""
        scope.setdefault("state", {})["caller"] = caller
        if wait_s := self._limit.wait_s(caller.subject or ""):
            message, details = "That is too many requests.", {"retry_after_s": round(wait_s, 3)}
            raise Failure("rate_limited", message, "Send fewer.", retryable=True, details={**details})


def _challenge(failure: Failure) -> dict[str, str]:
    return {"WWW-Authenticate": 'Bearer realm="flotilla"'} if failure.code == "unauthorized" else {}


class _Logged:
    """One line of the access log. A request's query and headers are not in it: they may hold secrets."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send, self._began = scope, send, time.monotonic()
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    def write(self) -> None:
        state: dict[str, Any] = self._scope.get("state", {})
        caller: Caller | None = state.get("caller")
        client = self._scope.get("client")
        said = {
            "method": self._scope["method"],
            "path": self._scope["path"][:500],
            "status": self.status,
            "ms": round((time.monotonic() - self._began) * 1000, 1),
            "caller": caller and caller.subject,
            "client": client and client[0],
        }
        logger.info("request", extra=said)

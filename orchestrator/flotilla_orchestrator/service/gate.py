"""What every request passes before the application sees it: who calls, how often, with what; and the access log."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from flotilla_kit.guard.rate_limit import RateLimit
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Failure
from ..telemetry.served_request import RequestObserver, ServedRequest
from .authentication import Authentication
from .callers import Caller
from .problems import answer

logger = logging.getLogger("flotilla.access")

NEW_RUN = "new_run"  # in the scope's state: the id of the run that the request has started
_OPEN = {"/healthz", "/readyz", "/openapi.json"}
_JSON, _STREAM = "application/json", b"text/event-stream"


class Gate:
    """An ASGI application in front of another one.

    Args:
        calls_per_s: of each caller, in bursts of five seconds' worth.
        observers: are told of each request that has been answered, but not of those that ask for health.
    """

    def __init__(
        self,
        app: ASGIApp,
        authentication: Authentication,
        calls_per_s: float,
        observers: Sequence[RequestObserver] = (),
    ) -> None:
        self._app, self.authentication, self._observers = app, authentication, observers
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
            if self._observers and scope["path"] not in _OPEN:
                served = logged.served_request()
                for observe in self._observers:
                    observe(served)

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
        self._scope, self._send, self._began, self._began_ns = scope, send, time.monotonic(), time.time_ns()
        self.status, self._streamed = 0, False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._streamed = (b"content-type", _STREAM) in [
                (name, kind[: len(_STREAM)]) for name, kind in message["headers"]
            ]
        await self._send(message)

    def served_request(self) -> ServedRequest:
        state: dict[str, Any] = self._scope.get("state", {})
        caller: Caller | None = state.get("caller")
        return ServedRequest(
            method=self._scope["method"],
            route=getattr(self._scope.get("route"), "path", ""),
            status=self.status or 500,
            began_ns=self._began_ns,
            ended_ns=time.time_ns(),
            headers=Headers(scope=self._scope),
            caller=caller and caller.subject,
            streamed=self._streamed,
            new_run=state.get(NEW_RUN),
        )

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

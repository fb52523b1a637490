"""What every request for a page passes first: whose session it is, where it comes from; and the headers of answers."""

from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Failure
from ..service.authentication import is_loopback
from ..service.callers import Caller
from ..service.gate import Gate
from .pages import STATIC, failure_page, render
from .sessions import PREFIX, Session, session_of

SIGN_IN = f"{PREFIX}/sign-in"
_FORM = "application/x-www-form-urlencoded"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with it browsers send forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ConsoleGate(Gate):
    """The gate of the console: it takes the session's cookies where the API takes a header."""

    async def admit(self, scope: Scope) -> None:
        """Raises Failure, as `Gate.admit`; `foreign_origin`: another site's page has sent the form."""
        connection = HTTPConnection(scope)
        session = session_of(connection)
        scope.setdefault("state", {})["session"] = session
        if scope["method"] not in ("GET", "HEAD"):
            _check_form(connection.headers)
        if not scope["path"].startswith((STATIC, SIGN_IN)):
            self.count(scope, await self.caller(connection.headers, session.token))

    async def caller(self, headers: Headers, token: str) -> Caller:
        """Whose token that is; raises Failure, as `Authentication.caller`."""
        passed = {name: headers[name] for name in ("host", "origin") if name in headers}
        presented = {"authorization": f"Bearer {token}"} if token else {}
        return await self.authentication.caller(Headers({**passed, **presented}))

    def refusal(self, scope: Scope, failure: Failure) -> ASGIApp:
        """Whoever has not signed in is sent to do so."""
        request = Request(scope)
        session: Session = request.state.session
        if failure.code != "unauthorized":
            return failure_page(request, failure)
        if scope["method"] == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
            # A link on another site: browsers leave out Strict cookies, but not once our own page has sent them here.
            return render(request, "cross_site.html", address=_address(scope))
        ended = "&ended=1" if session.token else ""
        wanted = _address(scope) if scope["method"] == "GET" else f"{PREFIX}/"
        return RedirectResponse(f"{SIGN_IN}?next={quote(wanted)}{ended}", 303)


def _address(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return quote(scope["path"]) + (f"?{query}" if query else "")


def _check_form(headers: Headers) -> None:
    """Raises Failure `foreign_origin`, `media_type`, `plain_http`."""
    origin = urlsplit(headers.get("origin", ""))
    host = headers.get("host", "")
    if origin.scheme not in ("http", "https") or origin.netloc.lower() != host.lower():
        message = "That form was not sent by a page of this console."
        raise Failure("foreign_origin", message, "Open the console and send it from there.")
    if origin.scheme == "http" and not is_loopback(host):
        message = "Beyond this machine the console works over HTTPS only: it would show its tokens to the network."
        raise Failure("plain_http", message, "Put a proxy in front of it that ends TLS and passes Host on.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Failure("media_type", f"A form is {_FORM} here.", "Send it from a page of the console.")


class SecureHeaders:
    """An ASGI application whose answers no other page may frame, and that loads nothing from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, secured)

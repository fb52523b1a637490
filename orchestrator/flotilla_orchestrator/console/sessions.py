"""Sessions of browsers: cookies that hold the tokens themselves, and what proves that a form is of that session.

The service keeps no sessions, so one is valid at every replica and after a restart, it ends as soon as its token does,
and there is no list of sessions to steal or to clean up. No script can read the cookies (HttpOnly), no other site's
requests carry them (SameSite=Strict), and beyond loopback they travel over TLS only (Secure, `__Host-`). The API takes
no cookies at all.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flotilla_kit.identity.tokens import TokenRefused, claimed
from starlette.requests import HTTPConnection
from starlette.responses import Response

from ..errors import Failure
from ..service.approver_tokens import HEADER, ApproverToken, approver_tokens
from ..service.authentication import is_loopback
from ..service.callers import Caller

PREFIX = "/console"
_TOKEN, _APPROVER, _SEED = "flotilla-token", "flotilla-approver-", "flotilla-form"
_PRESENTABLE = re.compile(r"[A-Za-z0-9._~+/=-]{1,3800}")  # what a cookie and an Authorization header can hold
_MOST_APPROVERS = 8
_MOST_CHARS = 11_000  # of all tokens: a request's headers may have 16 KiB


@dataclass(frozen=True)
class Session:
    """What a browser has brought along.

    Attributes:
        secure: its cookies are sent over TLS only.
        token: of the service, or a JWT of its issuer; empty: nobody has signed in, or nobody has to.
        approvers: the tokens by which its person decides on servers.
        seed: random; with the token, what `form_token` is made of.
        fresh: the browser does not have the seed yet.
    """

    secure: bool
    token: str = field(repr=False)
    approvers: tuple[str, ...] = field(repr=False)
    seed: str = field(repr=False)
    fresh: bool

    @property
    def form_token(self) -> str:
        """Stands in every form; only a page that was rendered for this session can have it."""
        key = f"{self.seed}\n{self.token}".encode("utf-8", "replace")
        return hmac.new(key, b"flotilla console form", hashlib.sha256).hexdigest()

    def owns(self, form_token: str) -> bool:
        return not self.fresh and hmac.compare_digest(form_token.encode(), self.form_token.encode())

    def approver_tokens(self, caller: Caller) -> list[ApproverToken]:
        """Raises Failure `invalid_arguments`: a cookie has something else in it."""
        return approver_tokens(",".join(self.approvers), caller)

    def store_token(self, response: Response, token: str) -> None:
        self._set(response, _TOKEN, token)

    def store_seed(self, response: Response) -> None:
        self._set(response, _SEED, self.seed)

    def store_approvers(self, response: Response, tokens: Iterable[str]) -> None:
        """These, and no others; each until it expires."""
        stored = list(tokens)
        for number in range(_MOST_APPROVERS):
            if number < len(stored):
                self._set(response, f"{_APPROVER}{number}", stored[number], expires_at(stored[number]))
            else:  # one before it may have expired, so it is not known which there are
                self._forget(response, f"{_APPROVER}{number}")

    def forget(self, response: Response) -> None:
        """All that it holds."""
        names = [_TOKEN, _SEED, *(f"{_APPROVER}{number}" for number in range(_MOST_APPROVERS))]
        for name in names:
            self._forget(response, name)

    def _set(self, response: Response, name: str, value: str, until: float | None = None) -> None:
        age = None if until is None else max(0, int(until - time.time()))
        response.set_cookie(self._name(name), value, age, **self._attributes)

    def _forget(self, response: Response, name: str) -> None:
        response.set_cookie(self._name(name), "", 0, **self._attributes)

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name

    @property
    def _attributes(self) -> dict[str, Any]:
        path = "/" if self.secure else PREFIX  # browsers take `__Host-` with this path only
        return {"path": path, "secure": self.secure, "httponly": True, "samesite": "strict"}


def session_of(connection: HTTPConnection) -> Session:
    """What the request brings along; there is always a seed."""
    secure = not is_loopback(connection.headers.get("host", ""))
    before = "__Host-" if secure else ""
    cookies = connection.cookies
    approvers = (cookies.get(f"{before}{_APPROVER}{number}", "") for number in range(_MOST_APPROVERS))
    seed = cookies.get(f"{before}{_SEED}", "")
    return Session(
        secure,
        presentable(cookies.get(f"{before}{_TOKEN}", "")),
        tuple(token for token in map(presentable, approvers) if token),
        seed or secrets.token_urlsafe(24),
        fresh=not seed,
    )


def presentable(token: str) -> str:
    """The token without spaces around it; empty if it cannot be one."""
    found = token.strip()
    return found if _PRESENTABLE.fullmatch(found) else ""


def with_approvers(session: Session, pasted: Iterable[str]) -> list[str]:
    """The approver's tokens of a session and these, which take the place of older ones for the same servers.

    Raises:
        Failure: `invalid_arguments`: something is no token, has expired, or it is too much for cookies.
    """
    by_audience = {_audiences(token): token for token in session.approvers}
    for token in pasted:
        if not presentable(token) or not _audiences(token):
            raise Failure("invalid_arguments", "That is not an approver's token.", _PASTE)
        until = expires_at(token)
        if until is not None and until <= time.time():
            raise Failure("invalid_arguments", "That token has expired.", "Make a new one.")
        by_audience[_audiences(token)] = token
    if len(by_audience) > _MOST_APPROVERS or sum(map(len, by_audience.values())) > _MOST_CHARS:
        message = f"A browser keeps {_MOST_APPROVERS} tokens and {_MOST_CHARS} characters of them."
        raise Failure("invalid_arguments", message, "Remove one first.")
    return list(by_audience.values())


def expires_at(token: str) -> float | None:
    """Seconds since 1970, as the token says; None: it does not."""
    try:
        said = claimed(token).get("exp")
    except TokenRefused:
        return None
    return said if isinstance(said, int | float) else None


_PASTE = f"Paste what `flotilla-SERVER approvers token NAME` says, or a token of your issuer (as in {HEADER})."


def _audiences(token: str) -> frozenset[str]:
    try:
        (found,) = approver_tokens(token, Caller(None, frozenset()))
    except (Failure, ValueError):
        return frozenset()
    return found.audiences

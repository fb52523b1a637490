"""How a request says whose it is: a token of the service's own, a JWT of an issuer, or (on loopback) not at all."""

import logging
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from flotilla_kit.identity.jwks import SUPPORTED, JwksSource, TokenRefused
from flotilla_kit.identity.tokens import Issuer
from starlette.datastructures import Headers

from ..errors import Failure
from .callers import ALL_SCOPES, Caller, unauthorized
from .tokens import Tokens

logger = logging.getLogger(__name__)


class Authentication(Protocol):
    async def caller(self, headers: Headers) -> Caller:
        """Raises Failure `unauthorized`, or `foreign_host`."""
        ...


class BearerTokens:
    """Takes the tokens of `flotilla tokens`, and those that an issuer signed for this service.

    A JWT has its scopes in `scope` (RFC 8693 §4.2), among others that mean nothing here.
    """

    def __init__(self, tokens: Tokens, issuer: Issuer | None = None) -> None:
        self._tokens, self._issuer = tokens, issuer

    async def caller(self, headers: Headers) -> Caller:
        kind, _, presented = headers.get("authorization", "").partition(" ")
        presented = presented.strip()
        if kind.lower() != "bearer" or not presented or len(headers.getlist("authorization")) != 1:
            raise unauthorized()
        if found := self._tokens.caller(presented):
            return found
        if self._issuer is None:
            raise unauthorized()
        try:
            claims = await self._issuer.verify(presented)
        except TokenRefused as refused:
            logger.info("token_refused", extra={"reason": refused.reason})
            raise unauthorized() from None
        scope = claims.get("scope")
        scopes = ALL_SCOPES.intersection(scope.split()) if isinstance(scope, str) else frozenset[str]()
        return Caller(claims["sub"], scopes, presented)


class NoAuthentication:
    """Whoever reaches the loopback address may do everything, but no web page of another origin can reach it."""

    async def caller(self, headers: Headers) -> Caller:
        origin = headers.get("origin")
        named = [headers.get("host", ""), *([urlsplit(origin).netloc] if origin else [])]
        if not all(map(is_loopback, named)):
            message = "Without authentication the service answers to loopback names only."
            raise Failure("foreign_host", message, "Call it as 127.0.0.1 or localhost.")
        return Caller(None, ALL_SCOPES)


def issuer_of(keys: str, name: str, audience: str) -> Issuer:
    """An OIDC issuer, by its JWKS (a file or an address), its `iss`, and the `aud` that stands for this service."""
    return Issuer(name, audience, JwksSource(keys), tuple(sorted(SUPPORTED)))


def is_loopback(netloc: str) -> bool:
    """Whether a host, with or without a port, is this machine by the names and addresses that always are."""
    try:
        host = urlsplit(f"//{netloc}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

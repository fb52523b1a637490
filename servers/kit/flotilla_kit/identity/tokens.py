"""Verifies tokens: compact JWTs of one issuer for one audience, against the keys in a JWKS file or behind a URL.

PyJWT checks the signature. The claims are checked here: PyJWT lets pass what has no `exp` or `jti`, reads `"exp": "99"`
as a number, and takes the last of two claims of one name (RFC 7519 §4 lets a verifier refuse those).
"""

from dataclasses import dataclass
from typing import Any, cast

import jwt
from jwt.utils import base64url_decode

from .jwks import SUPPORTED, JwksSource, TokenRefused, json_object

__all__ = ["LEEWAY_S", "MAX_LIFETIME_S", "Issuer", "JwksSource", "TokenRefused", "claimed", "claimed_issuer"]

MAX_LIFETIME_S = 3600
LEEWAY_S = 5  # how far the issuer's clock may be ahead of ours
_MAX_TOKEN = 16 * 1024
_MAX_NAME = 200
_JWS = jwt.PyJWS()


def claimed(token: str) -> dict[str, Any]:
    """What a token says, before anything of it is believed: only to know where to take it, or what to refuse.

    Raises:
        TokenRefused: it is no token.
    """
    if len(token) > _MAX_TOKEN:
        raise TokenRefused("too_long")
    try:
        return json_object(base64url_decode(token.split(".")[1]))
    except (LookupError, ValueError, RecursionError):
        raise TokenRefused("malformed") from None


def claimed_issuer(token: str) -> str:
    """The `iss` that a token says it has, to know which keys to check it with.

    Raises:
        TokenRefused: it is no token, or names no issuer.
    """
    issuer = claimed(token).get("iss")
    if not isinstance(issuer, str):
        raise TokenRefused("issuer")
    return issuer


@dataclass(frozen=True)
class Issuer:
    """Whose tokens are accepted: they say `iss` NAME and `aud` AUDIENCE, and one of KEYS signed them."""

    name: str
    audience: str
    keys: JwksSource
    algorithms: tuple[str, ...] = ("EdDSA",)
    subject_is_key: bool = False
    """Each key speaks for one subject only: the one it is named after."""
    subjects: frozenset[str] | None = None
    """If given, the only subjects accepted."""

    def __post_init__(self) -> None:
        if not self.algorithms or not SUPPORTED.issuperset(self.algorithms):
            raise ValueError(f"token algorithms must be some of {', '.join(sorted(SUPPORTED))}")

    async def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that is genuine, meant for us and valid now.

        Raises:
            TokenRefused: it is not; `reason` says which rule it broke.
        """
        if len(token) > _MAX_TOKEN:
            raise TokenRefused("too_long")
        try:
            key = await self._key(json_object(base64url_decode(token.partition(".")[0])))
            if "=" in token:
                raise TokenRefused("malformed")  # PyJWT lets padding pass, RFC 7515 §2 does not
            claims = json_object(_JWS.decode(token, key, [key.algorithm_name]))
        except jwt.InvalidSignatureError:
            raise TokenRefused("signature") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise TokenRefused("malformed") from None
        self._check(claims, key.key_id)
        return claims

    async def _key(self, header: dict[str, Any]) -> jwt.PyJWK:
        """The key that must have signed; what the header says of keys elsewhere (`jku`, `jwk`, `x5u`) is not read."""
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self.algorithms:
            raise TokenRefused("algorithm")
        if "crit" in header:  # RFC 7515 §4.1.11: extensions that must be understood, and we know none
            raise TokenRefused("critical_header")
        if "kid" in header and not isinstance(kid, str):
            raise TokenRefused("malformed")
        return await self.keys.key(kid, algorithm)

    def _check(self, claims: dict[str, Any], kid: str | None) -> None:
        if claims.get("iss") != self.name:
            raise TokenRefused("issuer")
        audience = claims.get("aud")
        if self.audience not in (cast("list[object]", audience) if isinstance(audience, list) else [audience]):
            raise TokenRefused("audience")
        _name(claims, "jti", refusal="no_id")
        subject = _name(claims, "sub", refusal="subject")
        if (self.subject_is_key and subject != kid) or (self.subjects is not None and subject not in self.subjects):
            raise TokenRefused("subject")
        now = self.keys.clock()
        expires = _seconds(claims, "exp", missing="no_expiry")
        issued = _seconds(claims, "iat", missing="no_issued_at")
        if expires <= now:
            raise TokenRefused("expired")
        if issued > now + LEEWAY_S:
            raise TokenRefused("issued_in_future")
        if "nbf" in claims and _seconds(claims, "nbf", missing="malformed") > now + LEEWAY_S:
            raise TokenRefused("not_yet_valid")
        if expires - issued > MAX_LIFETIME_S or expires - now > MAX_LIFETIME_S + LEEWAY_S:
            raise TokenRefused("lifetime")


def _name(claims: dict[str, Any], claim: str, refusal: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME or not value.isprintable():
        raise TokenRefused(refusal)
    return value


def _seconds(claims: dict[str, Any], claim: str, missing: str) -> float:
    """A NumericDate (RFC 7519 §2): seconds since 1970 as a JSON number."""
    value = claims.get(claim)
    if value is None:
        raise TokenRefused(missing)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise TokenRefused("malformed")
    return value

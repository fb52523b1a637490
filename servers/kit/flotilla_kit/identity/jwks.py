"""The public keys that tokens are checked with: a JWKS file or URL, kept, and looked at again now and then."""

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import jwt

logger = logging.getLogger(__name__)

_MAX_JWKS = 256 * 1024
_FETCH_TIMEOUT_S = 5
# What a key of a type and curve verifies (RFC 7518 §3.1, RFC 8037 §3.1). No HS*: a shared secret is nobody's own key.
_ALGORITHMS = {"OKP Ed25519": ("EdDSA",), "EC P-256": ("ES256",), "EC P-384": ("ES384",), "RSA": ("RS256", "PS256")}
SUPPORTED = frozenset(name for names in _ALGORITHMS.values() for name in names)


class TokenRefused(Exception):
    """The token proves nothing. `reason` is a short code for logs and counters, not for whoever sent it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Key(NamedTuple):
    kid: str | None
    by_algorithm: dict[str, jwt.PyJWK]
    public: str


class _Pace(NamedTuple):
    """How often to look for other keys, in seconds, and for how long to go on with the last good ones."""

    every: float
    unknown_kid: float
    outage: float


_FILE = _Pace(every=1, unknown_kid=0, outage=math.inf)
_URL = _Pace(every=300, unknown_kid=5, outage=3600)


class JwksSource:
    """The keys in a JWKS file or behind an http(s) URL; looks again now and then, so keys rotate without a restart."""

    def __init__(self, where: str, *, clock: Callable[[], float] = time.time) -> None:
        self.where = where
        self.clock = clock
        self.generation = 0
        """Changes with the keys. Who keeps verified tokens calls `refresh`, then compares: a retired key ends them."""
        self._pace = _URL if where.startswith(("http://", "https://")) else _FILE
        self._content = b""
        self._keys: list[_Key] | None = None
        self._well = True
        self._well_at = self._looked_at = -math.inf
        self._lock = asyncio.Lock()

    async def key(self, kid: str | None, algorithm: str | None = None) -> jwt.PyJWK:
        """The key of that name, for that algorithm; without a name the only one there is.

        Raises:
            TokenRefused: `unknown_key`, `algorithm` (the key is for another one) or `keys_unavailable`.
        """
        await self.refresh()
        if self._find(kid) is None:
            await self.refresh(unknown_kid=True)
        if self._keys is None:
            raise TokenRefused("keys_unavailable")
        if (found := self._find(kid)) is None:
            raise TokenRefused("unknown_key")
        if (key := found.by_algorithm.get(algorithm or next(iter(found.by_algorithm)))) is None:
            raise TokenRefused("algorithm")
        return key

    @property
    def public(self) -> frozenset[str]:
        """The key material itself, whatever it is named: to tell whether two sources share any."""
        return frozenset(key.public for key in self._keys or ())

    async def refresh(self, *, unknown_kid: bool = False) -> None:
        """Look for other keys if it is time to, else at no cost. Raises nothing: trouble is logged once."""
        busy = self._lock.locked() and self._keys is not None and not unknown_kid
        if self._due(unknown_kid) and not busy:  # one caller waits for a slow issuer, the others go on meanwhile
            async with self._lock:
                if self._due(unknown_kid):
                    await self._look()
        if self._keys is not None and self.clock() - self._well_at > self._pace.outage:
            self._content, self._keys = b"", None
            self.generation += 1

    def _due(self, unknown_kid: bool) -> bool:
        pause = self._pace.every if self._well else min(self._pace.every, 5)
        since = self.clock() - self._looked_at
        return not 0 <= since < (self._pace.unknown_kid if unknown_kid else pause)  # below 0: the clock was set back

    async def _look(self) -> None:
        was_well, self._well = self._well, False  # so it stays when the caller is cancelled in the middle
        try:
            content = await _fetch(self.where) if self._pace is _URL else _read(Path(self.where))
            if content != self._content:
                self._content, self._keys = content, _parse(content, self.where)
                self.generation += 1
            self._well, self._well_at = True, self.clock()
        except Exception as error:  # noqa: BLE001  whatever a key server does, its keys are missing and we are not
            if was_well:
                known = {"jwks": self.where, "problem": repr(error), "last_good_serves": bool(self._keys)}
                logger.warning("jwks_unavailable", extra=known)
        finally:
            self._looked_at = self.clock()

    def _find(self, kid: str | None) -> _Key | None:
        keys = self._keys or []
        if kid is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.kid == kid), None)


def json_object(text: bytes) -> dict[str, Any]:
    """A JSON object, without NaN or one name twice in any object of it.

    Raises:
        ValueError, RecursionError: it is something else.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(result := dict(pairs)) < len(pairs):
            raise ValueError("a name occurs twice in one object")
        return result

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    value = cast("object", json.loads(text, object_pairs_hook=unique, parse_constant=refuse))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return cast("dict[str, Any]", value)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bounded(file.read(_MAX_JWKS + 1))


async def _fetch(url: str) -> bytes:
    import httpx2  # only a URL needs it

    content = b""
    async with (
        asyncio.timeout(_FETCH_TIMEOUT_S),
        httpx2.AsyncClient(headers={"Accept-Encoding": "identity"}) as client,
        client.stream("GET", url, follow_redirects=False) as answer,
    ):
        if answer.status_code != 200:
            raise ValueError(f"HTTP status {answer.status_code}")
        async for part in answer.aiter_raw():  # raw: nothing is unpacked past the limit
            content = _bounded(content + part)
    return content


def _bounded(content: bytes) -> bytes:
    if len(content) > _MAX_JWKS:
        raise ValueError(f"more than {_MAX_JWKS} bytes")
    return content


def _parse(content: bytes, where: str) -> list[_Key]:
    """The public signing keys of a JWKS; others are ignored (RFC 7517 §5).

    Raises:
        ValueError, RecursionError: it is no JWKS.
    """
    entries = json_object(content).get("keys")
    if not isinstance(entries, list):
        raise ValueError("not a JWKS")
    keys: list[_Key] = []
    for entry in cast("list[Any]", entries):
        try:
            keys.append(_signing_key(entry))
        except (jwt.PyJWTError, ValueError, TypeError, LookupError, AttributeError) as error:
            logger.warning("jwks_key_ignored", extra={"jwks": where, "problem": str(error)})
    return keys


def _signing_key(jwk: dict[str, Any]) -> _Key:
    kid = jwk.get("kid")
    kind = " ".join(str(jwk[name]) for name in ("kty", "crv") if name in jwk)
    if "d" in jwk:
        raise ValueError(f"key {kid!r} is a private key, which nobody should publish")
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]) or kind not in _ALGORITHMS:
        raise ValueError(f"key {kid!r} is not for signatures that are accepted here")
    algorithms = [name for name in _ALGORITHMS[kind] if jwk.get("alg", name) == name]
    by_algorithm = {name: jwt.PyJWK(jwk, name) for name in algorithms}
    weak = [problem for key in by_algorithm.values() if (problem := key.Algorithm.check_key_length(key.key))]
    if not by_algorithm or weak or not isinstance(kid, str | None):
        raise ValueError(f"key {kid!r}: {weak[0] if weak else 'its alg or kid cannot be used'}")
    public = json.dumps([jwk.get(name) for name in ("kty", "crv", "x", "y", "n", "e")])
    return _Key(kid, by_algorithm, public)

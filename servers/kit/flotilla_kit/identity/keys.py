"""Signing keys: Ed25519 pairs (RFC 8037), and a folder of them that rotates and is published as a JWKS file."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from jwt.utils import base64url_decode, base64url_encode

if TYPE_CHECKING:
    from pydantic import JsonValue


class KeyRingError(Exception):
    """The key folder cannot be used; the message is for a person and names the file, never what is in it."""


class UnknownKey(KeyRingError):
    """The key ring keeps no key of that name; the message lists the ones it keeps."""


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 private key under the name (`kid`) that its tokens carry."""

    kid: str
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, kid: str | None = None) -> Self:
        """A new key, named after its RFC 7638 thumbprint unless a name is given."""
        private = Ed25519PrivateKey.generate()
        while not kid and _thumbprint(private).startswith("-"):  # it would be taken for a flag where a command names it
            private = Ed25519PrivateKey.generate()
        return cls(kid or _thumbprint(private), private)

    @classmethod
    def from_jwk(cls, jwk: "Mapping[str, JsonValue]") -> Self:
        """The key that `private_jwk` wrote down.

        Raises:
            ValueError: it is not an Ed25519 private key with a fitting public half.
        """
        private = Ed25519PrivateKey.from_private_bytes(base64url_decode(str(jwk.get("d"))))
        key = cls(str(jwk.get("kid") or _thumbprint(private)), private)
        public = key.public_jwk()
        if any(jwk.get(name) != public[name] for name in ("kty", "crv", "x")):
            raise ValueError("not an Ed25519 private key with its public half")
        return key

    def sign(self, claims: "Mapping[str, JsonValue]") -> str:
        """A compact JWT of the claims with the header `{"alg": "EdDSA", "typ": "JWT", "kid": …}`."""
        return jwt.encode(dict(claims), self._private, algorithm="EdDSA", headers={"kid": self.kid})

    def public_jwk(self) -> dict[str, str]:
        """The public half, as a JWKS lists it."""
        return {"kid": self.kid, "use": "sig", "alg": "EdDSA", **OKPAlgorithm.to_jwk(self._private.public_key(), True)}

    def private_jwk(self) -> dict[str, str]:
        """Both halves: a secret."""
        return {**self.public_jwk(), **OKPAlgorithm.to_jwk(self._private, True)}


def write_jwks(path: Path, keys: "Iterable[Mapping[str, JsonValue]] | Iterable[Mapping[str, str]]") -> None:
    """Replace a JWKS file at once: its readers see the old set or the new one. Everybody may read it (0644).

    Raises:
        ValueError: a key has a secret part.
    """
    public = [dict(key) for key in keys]
    if any("d" in key or "k" in key for key in public):
        raise ValueError("a JWKS file holds public keys only")
    _replace(path, {"keys": public}, mode=0o644)


class ListedKey(NamedTuple):
    kid: str
    created_at: str
    """ISO 8601, UTC"""
    current: bool


class _Kept(NamedTuple):
    created_at: datetime
    kid: str
    key: SigningKey


class KeyRing:
    """A folder (0700) with a file (0600) for each private key, and their public halves in `public.json`.

    The newest key signs. Older ones stay published until they are retired, so tokens they signed last their time.
    Several processes may use one folder at once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.public_file = folder / "public.json"

    def current(self) -> SigningKey:
        """The newest key, published; the first one is made when there is none.

        Raises:
            KeyRingError: a key file is corrupt or cannot be read.
        """
        kept = self._kept()
        if not kept:
            return self.rotate()
        self._publish()  # whoever made it may have died before it could
        return kept[-1].key

    def rotate(self) -> SigningKey:
        """Make a new current key; the older ones stay published.

        Raises:
            KeyRingError: a key file is corrupt or cannot be read.
        """
        created_at = datetime.now(UTC)
        if kept := self._kept():  # newest even if the clock was set back
            created_at = max(created_at, kept[-1].created_at + timedelta(microseconds=1))
        key = SigningKey.generate()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(
            self._file(key.kid),
            {"created_at": created_at.isoformat(timespec="microseconds"), "jwk": key.private_jwk()},
            mode=0o600,
        )
        self._publish()
        return key

    def retire(self, kid: str) -> None:
        """Delete a key and publish it no more: whatever it signed is refused from then on.

        Raises:
            UnknownKey: there is no such key.
            KeyRingError: a key file is corrupt or cannot be read.
        """
        known = [entry.kid for entry in self._kept()]
        if kid not in known:
            raise UnknownKey(f"there is no key {kid!r} in {self.folder}; its keys: {', '.join(known) or 'none'}")
        self._file(kid).unlink(missing_ok=True)
        self._publish()

    def _publish(self) -> None:
        """Make `public.json` say what the folder holds.

        Whoever writes looks again afterwards, so of several processes the last one to write wrote what is there.
        """
        while self._published() != (wanted := [entry.key.public_jwk() for entry in self._kept()]):
            write_jwks(self.public_file, wanted)

    def _published(self) -> object:
        try:
            return json.loads(self.public_file.read_bytes())["keys"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None  # it only repeats what the key files say, and is written anew from them

    def _kept(self) -> list[_Kept]:
        """Every key, the oldest first."""
        kept: list[_Kept] = []
        for path in self.folder.glob("*.jwk"):
            try:
                content = json.loads(path.read_bytes())
                key = SigningKey.from_jwk(cast("dict[str, JsonValue]", content["jwk"]))
                created_at = datetime.fromisoformat(content["created_at"]).astimezone(UTC)
            except FileNotFoundError:
                continue  # retired by another process in this moment
            except OSError as error:
                raise KeyRingError(f"the key file {path} cannot be read: {error.strerror}") from None
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                raise KeyRingError(f"the key file {path} is corrupt; restore it or remove it") from None
            if self._file(key.kid) != path:
                raise KeyRingError(f"the key file {path} holds a key of another name; restore it or remove it")
            kept.append(_Kept(created_at, key.kid, key))
        return sorted(kept, key=lambda entry: entry[:2])

    def _file(self, kid: str) -> Path:
        return self.folder / f"{kid}.jwk"

    def list(self) -> "list[ListedKey]":
        """Every kept key, the oldest first; the last one is current."""
        kept = self._kept()
        return [
            ListedKey(entry.kid, entry.created_at.isoformat(timespec="seconds"), entry is kept[-1]) for entry in kept
        ]


def _replace(path: Path, content: object, mode: int) -> None:
    """Write JSON to a new file of that mode (never wider, not for a moment) and put it in the place of `path`."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(mode)  # the umask may have taken bits away
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _thumbprint(private: Ed25519PrivateKey) -> str:
    """RFC 7638: the hash of the required members in lexical order; RFC 8037 names them for Ed25519."""
    members = OKPAlgorithm.to_jwk(private.public_key(), True)
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64url_encode(hashlib.sha256(text.encode()).digest()).decode()

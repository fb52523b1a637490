"""Approvers of the built-in issuer: people with a key of their own, whom one server believes.

`HOME/approvers` (0700) has two files for each: the private key `SERVER-NAME.jwk` (0600), which may be moved to wherever
the person works, and the public one, from which the JWKS that the server reads is put together. Tokens are minted from
the private key alone, so this module needs neither a server nor a database.
"""

import json
import os
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .keys import KeyRingError, SigningKey, write_jwks

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ..settings import ServerSettings

LONGEST_MINUTES = 59  # servers refuse what is valid for more than an hour, and clocks differ
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,39}")
_PUBLIC = ".public.json"


class ApproverError(KeyRingError):
    """The message is for a person: what cannot be done with an approver's name, key or token, and why."""


@dataclass(frozen=True)
class Approver:
    """Who may approve; `name` is the `kid` of the key and the `sub` of its tokens."""

    name: str
    created_at: str
    """ISO 8601, UTC"""
    published: bool
    """The server believes tokens of this key."""
    private_key_here: bool


def mint(key: SigningKey, *, issuer: str, audience: str, minutes: float = 10) -> str:
    """An approver's token for one server, from now on.

    Raises:
        ApproverError: `minutes` is not above 0 and at most 59.
    """
    if not 0 < minutes <= LONGEST_MINUTES:
        raise ApproverError(f"a token is valid for up to {LONGEST_MINUTES} minutes")
    now = int(time.time())
    return key.sign(
        {
            "iss": issuer,
            "sub": key.kid,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + max(1, round(minutes * 60)),
            "jti": secrets.token_hex(16),
        }
    )


def read_key(path: Path) -> SigningKey:
    """The private key in an approver's key file, wherever it was moved.

    Raises:
        ApproverError: there is none that can be read.
    """
    try:
        return SigningKey.from_jwk(_jwk(json.loads(path.read_bytes())))
    except OSError as error:
        raise ApproverError(f"the key file {path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, RecursionError):
        raise ApproverError(f"{path} is not the key file of an approver") from None


class Approvers:
    """The approvers of one server. Several processes may use this at once."""

    def __init__(self, settings: "ServerSettings") -> None:
        self._server = settings.server
        self._folder = settings.home / "approvers"
        self._published_file = settings.approvers_file

    def add(self, name: str) -> Path:
        """Make a key for a new approver and publish its public half; returns the private key's file.

        Raises:
            ApproverError: the name cannot be used or is taken, or a public key file is corrupt.
        """
        if not _NAME.fullmatch(name):
            raise ApproverError(
                "an approver's name is at most 40 of a-z, 0-9 and . _ - and starts with a letter, such as maya"
            )
        if name in self._public_keys():
            raise self._taken(name)
        for folder in (self._folder.parent, self._folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        key, made = SigningKey.generate(name), {"iat": int(time.time())}  # `iat` of a JWK: as in OpenID Federation 1.0
        try:
            _create(self.key_file(name), {**key.private_jwk(), **made})
        except FileExistsError:
            raise self._taken(name) from None
        write_jwks(self._public_file(name), [{**key.public_jwk(), **made}])
        self._publish()
        return self.key_file(name)

    def remove(self, name: str) -> None:
        """Publish the key no more, so that whatever it signed is refused from then on, and delete it.

        Raises:
            ApproverError: there is no such approver.
        """
        if not _NAME.fullmatch(name) or not (self._public_file(name).exists() or self.key_file(name).exists()):
            raise self._unknown(name)
        self._public_file(name).unlink(missing_ok=True)
        self._publish()
        self.key_file(name).unlink(missing_ok=True)

    def list(self) -> list[Approver]:
        """Every approver, by name.

        Raises:
            ApproverError: a public key file is corrupt.
        """
        keys, published = self._public_keys(), self._published()
        unfinished = {name for path in self._folder.glob(f"{self._server}-*.jwk") if (name := self._name(path, ".jwk"))}
        return [
            Approver(
                name,
                _time(keys[name].get("iat")) if name in keys else "",
                published is not None and name in keys and keys[name] in published,
                self.key_file(name).exists(),
            )
            for name in sorted({*keys, *unfinished})
        ]

    def key(self, name: str) -> SigningKey:
        """The private key of an approver, if it is still here.

        Raises:
            ApproverError: there is no such approver, or the key was moved away.
        """
        if not _NAME.fullmatch(name):
            raise self._unknown(name)
        path = self.key_file(name)
        if path.exists():
            return read_key(path)
        if self._public_file(name).exists():
            raise ApproverError(f"the key of {name} is not in {self._folder}; give its file with --key")
        raise self._unknown(name)

    def key_file(self, name: str) -> Path:
        """Where `add` puts the private key."""
        return self._folder / f"{self._server}-{name}.jwk"

    def _publish(self) -> None:
        """Make the server's JWKS say what the folder holds.

        Whoever writes looks again afterwards, so of several processes the last one to write wrote what is there.
        An empty one stays: the server would go on with the last keys it saw in a file that is gone.
        """
        while self._published() != (wanted := [*self._public_keys().values()]):
            write_jwks(self._published_file, wanted)

    def _published(self) -> "list[Mapping[str, JsonValue]] | None":
        try:
            return json.loads(self._published_file.read_bytes())["keys"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None  # it only repeats what the folder says, and is written anew from it

    def _public_keys(self) -> "dict[str, Mapping[str, JsonValue]]":
        keys: dict[str, Mapping[str, JsonValue]] = {}
        for path in sorted(self._folder.glob(f"{self._server}-*{_PUBLIC}")):
            name = self._name(path, _PUBLIC)
            try:
                (key,) = (_jwk(entry) for entry in json.loads(path.read_bytes())["keys"])
            except FileNotFoundError:
                continue  # removed by another process in this moment
            except (ValueError, LookupError, TypeError, RecursionError):
                raise ApproverError(f"the public key file {path} is corrupt; restore it or remove it") from None
            if not name or key.get("kid") != name:
                raise ApproverError(f"the public key file {path} holds another name; restore it or remove it")
            keys[name] = key
        return keys

    def _public_file(self, name: str) -> Path:
        return self._folder / f"{self._server}-{name}{_PUBLIC}"

    def _name(self, path: Path, ending: str) -> str:
        name = path.name.removeprefix(f"{self._server}-").removesuffix(ending)
        return name if _NAME.fullmatch(name) else ""

    def _taken(self, name: str) -> ApproverError:
        return ApproverError(f"there is an approver {name} already; remove it first, or choose another name")

    def _unknown(self, name: str) -> ApproverError:
        known = ", ".join(approver.name for approver in self.list()) or "none"
        return ApproverError(f"there is no approver {name!r}; the approvers: {known}")


def _create(path: Path, content: object) -> None:
    """Write JSON to a new file that only its owner may read, on the disk when this returns.

    Raises:
        FileExistsError: there is such a file; it is left as it is.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def _jwk(value: object) -> "Mapping[str, JsonValue]":
    if not isinstance(value, dict):
        raise TypeError("a JWK is a JSON object")
    return cast("Mapping[str, JsonValue]", value)


def _time(seconds: object) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if isinstance(seconds, int) else ""

"""Bearer tokens of the service's own: shown once, kept as hashes in a file of the home, which is read as it changes."""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from ..errors import Failure
from .callers import SCOPES, Caller

_PREFIX = "flt_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")
_SCOPES = frozenset[str](SCOPES)


@dataclass(frozen=True)
class Token:
    """What is kept of a token. `expires_at` and `created_at` are ISO 8601, UTC."""

    name: str
    scopes: tuple[str, ...]
    sha256: str
    created_at: str
    expires_at: str | None = None

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= datetime.now(UTC)


_KEPT = TypeAdapter(dict[Literal["tokens"], list[Token]])


class Tokens:
    """Those of a home. Several processes may use this at once."""

    def __init__(self, home: Path) -> None:
        self._file = home / "service-tokens.json"
        self._read: tuple[int, int, int] | None = None
        self._tokens: list[Token] = []

    def all(self) -> list[Token]:
        """Raises Failure `bad_tokens`: the file is not one of these."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            self._read, self._tokens = None, []
            return []
        stamp = found.st_ino, found.st_mtime_ns, found.st_size
        if stamp != self._read:
            self._tokens, self._read = _parsed(self._file), stamp
        return self._tokens

    def caller(self, presented: str) -> Caller | None:
        """Whose token that is, if it is one and valid."""
        digest, match = _digest(presented), None
        for token in self.all():  # every one, so that the time says nothing
            if hmac.compare_digest(token.sha256, digest):
                match = token
        return None if match is None or match.expired else Caller(match.name, frozenset(match.scopes))

    def add(self, name: str, scopes: Sequence[str], expires_days: float | None = None) -> tuple[Token, str]:
        """A new token, which nobody can read again.

        Raises:
            Failure: `invalid_arguments`, `token_exists`.
        """
        if not _NAME.fullmatch(name):
            message = f"{name!r} cannot be the name of a token."
            raise Failure("invalid_arguments", message, "Take up to 80 letters, digits and . _ @ -.")
        if not scopes or not _SCOPES.issuperset(scopes):
            raise Failure("invalid_arguments", "A token needs scopes.", f"Give --scope with {', '.join(SCOPES)}.")
        now, secret = datetime.now(UTC), _PREFIX + secrets.token_urlsafe(32)
        until = _text(now + timedelta(days=expires_days)) if expires_days else None
        ordered = tuple(scope for scope in SCOPES if scope in scopes)
        token = Token(name, ordered, _digest(secret), _text(now), until)
        with self._locked():
            tokens = self.all()
            if any(known.name == name for known in tokens):
                raise Failure(
                    "token_exists", f"There is a token {name}.", f"Take `flotilla tokens remove {name}` first."
                )
            self._write([*tokens, token])
        return token, secret

    def remove(self, name: str) -> None:
        """Raises Failure `unknown_token`."""
        with self._locked():
            tokens = self.all()
            if all(token.name != name for token in tokens):
                raise Failure("unknown_token", f"There is no token {name}.", "See `flotilla tokens list`.")
            self._write(token for token in tokens if token.name != name)

    @contextmanager
    def _locked(self) -> Generator[None]:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, tokens: Iterable[Token]) -> None:
        """At once: readers see the old ones or the new ones."""
        new = self._file.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"tokens": [asdict(token) for token in tokens]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._file)


def _digest(secret: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _parsed(file: Path) -> list[Token]:
    try:
        return _KEPT.validate_json(file.read_bytes())["tokens"]
    except (OSError, ValueError, LookupError) as error:
        raise Failure("bad_tokens", f"{file} cannot be read: {error}.", "Make new tokens.") from error

"""The audit file of one session: JSON Lines, each with the SHA-256 of the line before it; digests in place of texts.

A line that was changed, taken out or moved does not fit the next one; that the last ones are there, the span of a
session that has ended says.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydantic import JsonValue

from ..journal.journal import Span, now, session_id

HEAD = "audit_sha256"  # of a session's span: the hash of the last line of its file
_FIRST = "0" * 64
_TAIL_BYTES = 64 * 1024  # more than the longest line has
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str).encode  # as servers have it


def digest(value: object) -> str:
    """SHA-256 of a text, or of a value as JSON with its keys in order and no white space."""
    text = value if isinstance(value, str) else _canonical(value)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class SessionAudit:
    """Appends to the file of a session, in whichever process goes on with it.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path, session: Span) -> None:
        self.path = folder / "audit" / f"{session_id(session.span_id)}.jsonl"

    def write(self, event: str, **facts: JsonValue) -> str:
        """Append a line, handed to the operating system when this returns; returns its hash."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            line = json.dumps({"at": now(), "event": event, **facts, "previous": _head(file)}, ensure_ascii=False)
            file.write(f"{line}\n".encode(errors="surrogatepass"))
        return digest(line)


def _head(file: BinaryIO) -> str:
    """The hash of its last line."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    lines = file.read().splitlines()
    return hashlib.sha256(lines[-1]).hexdigest() if lines else _FIRST


@dataclass(frozen=True)
class AuditCheck:
    """What was found of one file; `problem` is None if it is whole."""

    path: Path
    agent: str
    lines: int
    problem: str | None


def check_audits(folder: Path, spans: list[Span]) -> Iterator[AuditCheck]:
    """Check the files of the sessions of a run.

    Args:
        folder: of the run.
    """
    for span in spans:
        if span.kind == "session":
            path = SessionAudit(folder, span).path
            lines = path.read_bytes().splitlines() if path.exists() else []
            head = span.attributes.get(HEAD) if span.ended_at else None
            yield AuditCheck(path, span.name, len(lines), _problem(lines, cast("str | None", head)))


def _problem(lines: list[bytes], head: str | None) -> str | None:
    previous = _FIRST
    for number, line in enumerate(lines, 1):
        try:
            found: Any = json.loads(line)
        except ValueError:
            return f"line {number} is no JSON"
        if not isinstance(found, dict) or cast("dict[str, Any]", found).get("previous") != previous:
            return f"line {number} does not follow the one before it"
        previous = hashlib.sha256(line).hexdigest()
    if head and previous != head:
        return "its end is missing, or was changed"
    return None

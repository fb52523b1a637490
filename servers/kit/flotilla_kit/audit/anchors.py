"""Anchors: the chain's head noted outside the database.

Whoever can drop triggers can rewrite the whole chain consistently, or cut it short and move the head back. What they
wrote then disagrees with a line of this file, if it lies where they cannot write: another volume, user or machine.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import times
from .chain import Head

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where one process serves
    fcntl = None

_LONGEST_LINE = 4096


@dataclass(frozen=True)
class Anchor:
    """At this time (ISO 8601), record `seq` was the last one and had this hash."""

    at: str
    seq: int
    hash: str


def read_anchors(path: Path) -> list[Anchor]:
    """Every anchor in the file, oldest first; none if there is no file. A last line cut short by a crash is ignored.

    Raises:
        ValueError: another line is not an anchor; it is named.
    """
    if not path.exists():
        return []
    *lines, last = path.read_bytes().split(b"\n")
    anchors: list[Anchor] = []
    for number, line in enumerate(lines, 1):
        anchor = _parse(line)
        if anchor is None:
            raise ValueError(f"{path}: line {number} is not an anchor")
        anchors.append(anchor)
    complete = _parse(last)
    return [*anchors, complete] if complete else anchors


def write_anchor(path: Path, head: Head) -> None:
    """Append one line; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(Anchor(times.now(), head.seq, head.hash))).encode() + b"\n"
    with path.open("a+b") as file:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)  # of workers, each notes what it wrote
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LONGEST_LINE))
        last = file.read().rpartition(b"\n")[2]
        if last and _parse(last):
            line = b"\n" + line
        elif last:
            file.truncate(size - len(last))
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _parse(line: bytes) -> Anchor | None:
    try:
        match json.loads(line):
            case {"at": str(at), "seq": int(seq), "hash": str(digest)}:
                return Anchor(at, seq, digest)
            case _:
                return None
    except ValueError:
        return None

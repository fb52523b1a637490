"""A folder of Markdown files, read defensively: what is in it is data of unknown origin."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 1_000_000
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stamp:
    """What tells that a file changed."""

    path: Path
    modified_ns: int
    size: int


def scan(folder: Path) -> dict[str, Stamp]:
    """The documents of a folder: id (its path without `.md`) to stamp. Hidden files, and links out of it, are not."""
    root = folder.resolve()
    return dict(sorted(_documents(root))) if root.is_dir() else {}


def _documents(root: Path) -> Iterator[tuple[str, Stamp]]:
    for path in root.rglob("*.md"):
        relative = path.relative_to(root)
        if any(part.startswith(".") for part in relative.parts):
            continue
        try:
            if not path.resolve().is_relative_to(root) or not path.is_file():
                continue
            status = path.stat()
        except (OSError, RuntimeError):  # RuntimeError: a link to itself, before Python 3.13
            continue  # removed, or replaced by something unreadable, while we looked
        yield relative.with_suffix("").as_posix(), Stamp(path, status.st_mtime_ns, status.st_size)


def read(document_id: str, stamp: Stamp) -> str | None:
    """A document's text; None, with a log line, if it is too large, binary or gone, or JSON could not say its id."""
    try:
        document_id.encode()
    except UnicodeEncodeError:
        logger.warning("document skipped: its name is not UTF-8", extra={"path": ascii(str(stamp.path))})
        return None
    if stamp.size > MAX_BYTES:
        logger.warning("document skipped: too large", extra={"path": str(stamp.path), "bytes": stamp.size})
        return None
    try:
        content = stamp.path.read_bytes()
    except OSError as error:
        logger.warning("document skipped: unreadable", extra={"path": str(stamp.path), "reason": error.strerror})
        return None
    if b"\0" in content:
        logger.warning("document skipped: binary", extra={"path": str(stamp.path)})
        return None
    return content.decode("utf-8-sig", errors="replace")

"""The beginning of a file, by which its kind is told."""

from pathlib import Path

_ENOUGH = 16 * 1024  # bytes


def head(path: Path) -> str:
    """The first characters of a file without spaces before them; nothing of what is no file or no text."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as raw:
            return raw.read(_ENOUGH).decode("utf-8-sig", errors="ignore").lstrip()
    except OSError:
        return ""

"""A file to import, read as text a line at a time: a million rows need no more memory than one."""

import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from .problems import ImportRefused, ImportStopped, Problem

LONGEST_LINE = 1024 * 1024  # characters
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Source:
    """One file, or text, of UTF-8 with or without a byte order mark.

    Args:
        file: a path, or the text itself.
        columns: by the file's own column names, the names that `check` knows them by.
    """

    def __init__(self, file: Path | str, columns: Mapping[str, str] | None = None) -> None:
        self._file = file
        self.columns = columns or {}
        self._raw: BinaryIO | None = None
        self._open: io.TextIOWrapper | None = None
        self._stopped = False

    @property
    def size(self) -> int:
        """Bytes of the file; 0 of text and of what has no size, such as a pipe."""
        return self._file.stat().st_size if isinstance(self._file, Path) else 0

    @property
    def position(self) -> int:
        """Bytes read so far."""
        raw = self._raw
        return raw.tell() if raw is not None and not raw.closed and raw.seekable() else 0

    def close(self) -> None:
        """Let go of the file; reading does not, as it may end anywhere."""
        if self._open is not None:
            self._open.close()

    def stop(self) -> None:
        """End the import under way, from any thread: its next line raises `ImportStopped`."""
        self._stopped = True

    def check_stopped(self) -> None:
        """Raises `ImportStopped` once somebody asked for it."""
        if self._stopped:
            raise ImportStopped

    def lines(self) -> Iterator[str]:
        r"""Each line with its end (`\n`, `\r\n` or `\r`), as `csv` and others want it.

        Raises:
            ImportRefused: it is no file, is empty, or is not text in UTF-8.
            ImportStopped: `stop` was called.
        """
        if isinstance(self._file, str):
            yield from self._checked(io.StringIO(self._file.removeprefix("\ufeff"), newline=""))
            return
        if self._file.is_dir():
            raise _refused("this is a folder, not a file")
        try:
            raw = self._file.open("rb")
        except FileNotFoundError:
            raise _refused("there is no such file") from None
        except OSError as error:
            raise _refused(f"the file cannot be read: {error.strerror}") from None
        self._raw = raw
        self._open = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        try:
            yield from self._checked(self._open)
        except UnicodeDecodeError:
            raise self._not_utf8(self._file) from None

    def text(self) -> str:
        """The whole file, for formats that are read at once; raises as `lines` does."""
        return "".join(self.lines())

    def _checked(self, stream: io.TextIOBase) -> Iterator[str]:
        number = 0
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            self.check_stopped()
            if len(line) > LONGEST_LINE:
                raise _refused(f"this line has more than {LONGEST_LINE} characters; is this a text file?", number)
            if "\0" in line:
                raise _refused("there is a NUL character, so this is not a text file", number)
            yield line
        if not number:
            raise _refused("the file is empty")

    def _not_utf8(self, path: Path) -> ImportRefused:
        if not path.is_file():
            return _refused("this is not UTF-8 text")
        with path.open("rb") as raw:
            if raw.read(2) in _UTF16:
                return _refused("this is UTF-16 text; save the file as UTF-8")
            raw.seek(0, os.SEEK_SET)
            line = next((number for number, line in enumerate(raw, 1) if not _is_utf8(line)), 0)
        return _refused("this is not UTF-8 text; save the file as UTF-8", line)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _refused(message: str, line: int = 0) -> ImportRefused:
    return ImportRefused([Problem(line, message)])

"""A file or folder to import, read a line or a block at a time: a million rows need no more memory than one."""

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from .problems import ImportRefused, ImportStopped, Problem

LONGEST_LINE = 1024 * 1024  # characters, or bytes
_BLOCK = 64 * 1024  # characters
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Source:
    """One file, or text, of UTF-8 with or without a byte order mark; or a folder, whose `files` are sources.

    Args:
        file: a path, or the text itself.
        columns: by the file's own column names, the names that `check` knows them by.
        options: what the command line says beyond that, by the names of the server's `import_options`.
    """

    def __init__(
        self,
        file: Path | str,
        columns: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        *,
        folder: "Source | None" = None,
    ) -> None:
        self._file = file
        self.columns = columns or {}
        self.options = options or {}
        self.left_out = Counter[str]() if folder is None else folder.left_out
        """What `read` passes over because the store has no place for it, by what it is, and how often."""
        self._folder = folder
        self._reading: Source | BinaryIO | None = None
        self._text: io.TextIOWrapper | None = None  # kept, or the file would be found open when it is let go of
        self._finished = 0  # bytes that were read to their end, in every file and pass
        self._size: int | None = None
        self._stopped = False

    @property
    def path(self) -> Path | None:
        """Where it is; None of text."""
        return self._file if isinstance(self._file, Path) else None

    @property
    def name(self) -> str:
        """The file's path inside the folder that is imported; empty where it is imported by itself."""
        inside = self.path if self._folder else None
        return inside.relative_to(self._folder.path or inside.parent).as_posix() if inside and self._folder else ""

    @property
    def can_be_read_again(self) -> bool:
        """False of what is gone once it was read, such as a pipe."""
        return self.path is None or self.path.is_dir() or self.path.is_file()

    @property
    def size(self) -> int:
        """Bytes of the file, or of a folder's files; 0 of text and of what has no size, such as a pipe."""
        if self._size is None:
            path = self.path
            if path is None:
                self._size = 0
            elif path.is_dir():
                self._size = sum(file.lstat().st_size for file in _files(path))
            else:
                self._size = path.stat().st_size
        return self._size

    @property
    def position(self) -> int:
        """Bytes read so far, of every time that it was read."""
        return self._finished + _position(self._reading)

    def close(self) -> None:
        """Let go of the file; reading does not, as it may end anywhere."""
        if self._reading is not None:
            self._finished += _position(self._reading)
            self._reading.close()
            self._reading = self._text = None

    def stop(self) -> None:
        """End the import under way, from any thread: its next line raises `ImportStopped`."""
        self._stopped = True

    def check_stopped(self) -> None:
        """Raises `ImportStopped` once somebody asked for it."""
        if self._stopped:
            raise ImportStopped
        if self._folder is not None:
            self._folder.check_stopped()

    def files(self, wanted: Callable[[Path], bool] = lambda path: True) -> Iterator["Source"]:
        """The files of a folder, at any depth, in the order of their names; a file by itself is its only one.

        Links that lead out of the folder are left out, and so are hidden files and folders and what would wait, a pipe.

        Raises:
            ImportStopped: `stop` was called.
        """
        root = self.path
        if root is None or not root.is_dir():
            yield self
            return
        inside = root.resolve()
        for path in _files(root):
            self.check_stopped()
            if not wanted(path):
                continue
            if not path.is_file() or not Path(os.path.realpath(path)).is_relative_to(inside):
                self.left_out["links out of the folder, and what is no file"] += 1
                continue
            self.close()
            self._reading = file = Source(path, self.columns, self.options, folder=self)
            yield file
        self.close()

    def lines(self) -> Iterator[str]:
        r"""Each line with its end (`\n`, `\r\n` or `\r`), as `csv` and others want it.

        Raises:
            ImportRefused: it is no file, is empty, or is not text in UTF-8.
            ImportStopped: `stop` was called.
        """
        for number, line in enumerate(self._decoded(lambda stream: stream.readline(LONGEST_LINE + 1)), 1):
            if len(line) > LONGEST_LINE:
                raise self._refused(f"this line has more than {LONGEST_LINE} characters; is this a text file?", number)
            if "\0" in line:
                raise self._refused("there is a NUL character, so this is not a text file", number)
            yield line

    def blocks(self) -> Iterator[str]:
        """The text in pieces, for formats in which a line may be longer than memory; raises as `lines` does."""
        return self._decoded(lambda stream: stream.read(_BLOCK))

    def byte_lines(self) -> Iterator[bytes]:
        r"""Each line as bytes with its `\n`, for formats that are no text, such as e-mail; raises as `lines` does."""
        with self._opened() as raw:
            number = 0
            while line := raw.readline(LONGEST_LINE + 1):
                number += 1
                self.check_stopped()
                if len(line) > LONGEST_LINE:
                    raise self._refused(f"this line has more than {LONGEST_LINE} bytes", number)
                yield line
            if not number:
                raise self._refused("the file is empty")

    def binary(self) -> BinaryIO:
        """The file as it is, for formats that are packed; `close` closes it. Raises as `lines` does."""
        return self._opened()

    def text(self) -> str:
        """The whole file, for formats that are read at once; raises as `lines` does."""
        return "".join(self.lines())

    def problem(self, line: int, message: str, *, value: str = "") -> Problem:
        """What is wrong in a line of this file, from 1; 0 is the file as a whole."""
        return Problem(line, message, value=value, file=self.name)

    def _opened(self) -> BinaryIO:
        path = self.path
        if path is None:
            return io.BytesIO(str(self._file).encode())
        if path.is_dir():
            raise self._refused("this is a folder, not a file")
        self.close()
        try:
            raw = path.open("rb")
        except FileNotFoundError:
            raise self._refused("there is no such file") from None
        except OSError as error:
            raise self._refused(f"the file cannot be read: {error.strerror}") from None
        self._reading = raw
        return raw

    def _decoded(self, read: Callable[[io.TextIOBase], str]) -> Iterator[str]:
        if isinstance(self._file, str):
            yield from self._checked(io.StringIO(self._file.removeprefix("\ufeff"), newline=""), read)
            return
        self._text = io.TextIOWrapper(self._opened(), encoding="utf-8-sig", newline="")
        try:
            yield from self._checked(self._text, read)
        except UnicodeDecodeError:
            raise self._not_utf8(self._file) from None

    def _checked(self, stream: io.TextIOBase, read: Callable[[io.TextIOBase], str]) -> Iterator[str]:
        empty = True
        while piece := read(stream):
            empty = False
            self.check_stopped()
            yield piece
        if empty:
            raise self._refused("the file is empty")

    def _not_utf8(self, path: Path) -> ImportRefused:
        if not path.is_file():
            return self._refused("this is not UTF-8 text")
        with path.open("rb") as raw:
            if raw.read(2) in _UTF16:
                return self._refused("this is UTF-16 text; save the file as UTF-8")
            raw.seek(0, os.SEEK_SET)
            line = next((number for number, line in enumerate(raw, 1) if not _is_utf8(line)), 0)
        return self._refused("this is not UTF-8 text; save the file as UTF-8", line)

    def _refused(self, message: str, line: int = 0) -> ImportRefused:
        return ImportRefused([self.problem(line, message)])


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _position(reading: "Source | BinaryIO | None") -> int:
    if isinstance(reading, Source):
        return reading.position
    return reading.tell() if reading is not None and not reading.closed and reading.seekable() else 0


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True

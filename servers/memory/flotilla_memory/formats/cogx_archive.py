"""COGX archives as they are sent: a `.cogx.tar.gz`, unpacked without trusting it.

From cognee's `cognee/modules/migration/archive.py` (github.com/topoteretes/cognee, a8f9760b): the files of the folder
at the archive's root, or one folder down. Nothing else is unpacked, and no more than a text of that size can hold.
"""

import gzip
import io
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from flotilla_kit.imports import ImportRefused, Source

_MOST_MEMBERS = 10_000
_MOST_TIMES, _MOST_BYTES = 100, 4 * 1024**3  # what it unpacks to: times its own size, and in all
_SMALL = 64 * 1024 * 1024  # bytes that any archive may unpack to
_BLOCK = 256 * 1024  # bytes that are read at once; a header that asks for more is a trick


def is_archive(path: Path) -> bool:
    """Whether it is named like one."""
    return path.name.endswith((".tar.gz", ".tgz", ".tar"))


def unpack(source: Source, into: Path, wanted: frozenset[str]) -> None:
    """Write the files with these names to a folder.

    Raises:
        ImportRefused: it is no such archive, a name leads out of it, or it unpacks to too much.
        ImportStopped: the source was stopped.
    """
    packed = source.binary()
    most = min(max(_SMALL, source.size * _MOST_TIMES), _MOST_BYTES)
    plain = not (source.path and source.path.name.endswith("gz"))
    stream = _Bounded(packed if plain else gzip.GzipFile(fileobj=packed), source, most)
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            for number, member in enumerate(tar):
                name = PurePosixPath(member.name)
                if number == _MOST_MEMBERS:
                    raise _refused(source, f"there are more than {_MOST_MEMBERS} files in it")
                if name.is_absolute() or ".." in name.parts:
                    raise _refused(source, "a name in it leads out of the archive")
                if len(name.parts) <= 2 and name.name in wanted and member.isreg() and not member.issparse():
                    _write(tar, member, into / name.name, source)
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, UnicodeError, ValueError, OverflowError):
        raise _refused(source, "this is no archive, or it is damaged") from None


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, to: Path, source: Source) -> None:
    content = tar.extractfile(member)
    if content is None or to.exists():
        raise _refused(source, "a file is in it twice")
    with content, to.open("xb") as file:
        while block := content.read(_BLOCK // 4):
            file.write(block)


class _Bounded(io.RawIOBase):
    """A stream that is read forwards, and ends the import when it was read for too long."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile, source: Source, most: int) -> None:
        self._stream, self._source, self._most = stream, source, most
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _BLOCK:
            raise _refused(self._source, "there is a header in it of an odd size")
        self._source.check_stopped()
        block = self._stream.read(size)
        self._at += len(block)
        if self._at > self._most:
            raise _refused(self._source, f"it unpacks to more than {self._most} bytes")
        return block

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence != io.SEEK_SET or offset < self._at:
            raise _refused(self._source, "its files overlap")
        while self._at < offset and self.read(min(offset - self._at, _BLOCK)):
            pass
        return self._at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _refused(source: Source, message: str) -> ImportRefused:
    return ImportRefused([source.problem(0, message)])

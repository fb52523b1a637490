"""The mechanism: one consistent view of the store is written beside its destination and moved there at the end."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from ..storage import Database


@dataclass
class Progress:
    """How much of an export is written, and of how much; `advance` shows it."""

    show: Callable[[], None] = lambda: None
    done: int = 0
    total: int = 0

    def advance(self, count: int = 1) -> None:
        """So many more are written."""
        self.done += count
        self.show()


@dataclass(frozen=True)
class Exporter:
    """A kind of file or folder that a store can be written to.

    `write(connection, path, options, progress)` makes it at `path`, which has the name that it will have, in a read
    transaction; it answers what it wrote, in counts by name. `options` are the server's `import_options` as given.
    """

    kind: str
    write: Callable[[Connection, Path, Mapping[str, str], Progress], Mapping[str, int]]


async def export_to(
    database: Database, exporter: Exporter, destination: Path, options: Mapping[str, str], progress: Progress
) -> Mapping[str, int]:
    """Write the store to a destination that does not exist yet; only the user who runs this can read it.

    Raises:
        FileExistsError: there is something at the destination.
        OSError: it cannot be written; nothing is left there.
        StoreUnavailable: the database does not answer.
    """
    with _beside(destination) as path:
        return await database.read(_written, exporter, path, options, progress)


def _written(
    connection: Connection, exporter: Exporter, path: Path, options: Mapping[str, str], progress: Progress
) -> Mapping[str, int]:
    if path.is_dir():  # of a transaction whose connection was lost
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    progress.done = 0
    return exporter.write(connection, path, options, progress)


@contextmanager
def _beside(destination: Path) -> Generator[Path]:
    """A path to write at, which becomes the destination when the block ends well and is gone otherwise."""
    destination = destination.absolute()
    if os.path.lexists(destination):
        raise FileExistsError(f"{destination} exists already; export to a new name")
    mask = os.umask(0o077)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{destination.name[:50]}.", dir=destination.parent) as folder:
            path = Path(folder) / destination.name
            yield path
            path.rename(destination)
    finally:
        os.umask(mask)

"""The databases of a home before its first run. To migrate new ones takes as long as a small run."""

import atexit
import shutil
import tempfile
from pathlib import Path

from flotilla_orchestrator.engine.kept import database_url, migrate
from flotilla_orchestrator.records.journal import Journal

_migrated: list[Path] = []  # a folder with the journal's and the engine's, once there is one


async def prepare(home: Path) -> None:
    """Put empty ones there, unless a run has left its own."""
    if not _migrated:
        folder = Path(tempfile.mkdtemp(prefix="flotilla-home-"))
        atexit.register(shutil.rmtree, folder)
        await (await Journal.open(folder)).close()
        migrate(database_url(folder))
        _migrated.append(folder)
    if not (home / "journal.db").exists():
        for file in _migrated[0].iterdir():
            shutil.copyfile(file, home / file.name)

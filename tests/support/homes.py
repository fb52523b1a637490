"""The databases of a home before its first run. To migrate new ones takes as long as a small run."""

import asyncio
import atexit
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from flotilla_orchestrator.durable.workflow_store import migrate
from flotilla_orchestrator.journal.journal import Journal


def prepare(home: Path) -> None:
    """Put an empty journal and an engine's database there, unless a run has left its own."""
    if not (home / "journal.db").exists():
        for file in _migrated().iterdir():
            shutil.copyfile(file, home / file.name)


@cache
def _migrated() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="flotilla-home-"))
    atexit.register(shutil.rmtree, folder)
    migrate(f"sqlite:///{folder / 'engine.db'}")
    with ThreadPoolExecutor(1) as elsewhere:  # who asks may be in an event loop
        elsewhere.submit(asyncio.run, _journal(folder)).result()
    return folder


async def _journal(folder: Path) -> None:
    await (await Journal.open(folder)).close()

"""What all runs at work in this process share."""

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from ..journal.journal import Journal
from .context import RunContexts


@dataclass(frozen=True)
class RunProcess:
    """There is one at a time.

    Attributes:
        slots: of sessions in this process.
        session_queue: bounds how many sessions live in all processes; None: they start here.
    """

    journal: Journal
    contexts: RunContexts
    slots: AbstractAsyncContextManager[Any]
    session_queue: str | None = None


_current: list[RunProcess] = []


def process() -> RunProcess:
    """What the runs of this process share, while it works on any."""
    return _current[-1]


@contextmanager
def process_entered(shared: RunProcess) -> Generator[None]:
    """Runs can be worked on while the block lasts."""
    _current.append(shared)
    try:
        yield
    finally:
        _current.clear()

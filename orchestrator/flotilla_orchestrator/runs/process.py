"""What all runs at work in this process share."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from ..durable.workflow import Workflow
from ..journal.journal import Journal
from ..sessions.types import SessionResult
from .admission import Admission
from .agent_task import AgentTask
from .context import RunContexts
from .slots import Slots


@dataclass(frozen=True)
class RunProcess:
    """The shared state of all runs of this process; there is one at a time.

    Attributes:
        run_agent: the workflow of one agent's task, for modules that it imports and that cannot import it.
        session_wait_s: how long a session keeps its process while its calls wait, unless `fleet.yaml` has it.
        session_queue: bounds how many sessions live in all processes; None: they start here.
        admission: says when a queued run begins; None: no run is queued.
    """

    journal: Journal
    contexts: RunContexts
    slots: Slots
    run_agent: Workflow[[AgentTask], SessionResult]
    session_wait_s: float
    session_queue: str | None = None
    admission: Admission | None = None


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

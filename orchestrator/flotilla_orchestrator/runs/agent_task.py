"""A task of one agent, as its workflow is given it."""

from dataclasses import dataclass, field

from pydantic import JsonValue

from ..errors import Failure
from ..journal.allowances import Allowance
from ..run_request import RunRequest


@dataclass(frozen=True)
class Job:
    """A task for a worker; `span_id` is that of its session."""

    order: RunRequest
    lookups: dict[str, JsonValue]
    span_id: str
    parent_id: str
    awaited_by: str | None
    """The session that waits for it."""
    worker: str
    task: str
    share: Allowance | Failure
    """Of what the run may use; or why there is none for it."""
    result_wanted: bool = False
    """The playbook's structured result."""
    depth: int = 0
    """How many delegations and transfers it is away from the run's lead."""
    model: str | None = None
    """In place of the worker's own."""
    session_of: str | None = None
    """The span whose session it goes on with; None: it has one of its own."""
    say: str = ""
    """What that session is told."""
    before: int = 0
    """How many turns it had then."""
    tries: int | None = None
    """How often it is tried at all, whatever it fails of; None: as its worker says, where that is safe."""
    attempt: int = 1
    why: str = ""
    """It is not the first attempt."""
    output: dict[str, JsonValue] | None = None
    """The schema of what its step has to give."""
    about: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """Further attributes of its span."""

    @property
    def allowance(self) -> Allowance:
        """Of a task with a share; no other is begun."""
        assert isinstance(self.share, Allowance), self.share
        return self.share

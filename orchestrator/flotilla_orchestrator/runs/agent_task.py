"""A task of one agent: the argument of its workflow."""

from dataclasses import dataclass, field

from pydantic import JsonValue

from ..errors import Failure
from ..journal.allowances import Allowance
from ..run_request import RunRequest


@dataclass(frozen=True)
class AgentTask:
    """A task for a worker; `span_id` is that of its session."""

    request: RunRequest
    lookups: dict[str, JsonValue]
    span_id: str
    parent_span_id: str
    awaited_by: str | None
    """The session that waits for it."""
    worker: str
    task: str
    allowance_or_failure: Allowance | Failure
    """Its share of what the run may use; or why it has none."""
    gives_run_result: bool = False
    """The playbook's structured result."""
    depth: int = 0
    """How many delegations and transfers it is away from the run's lead."""
    model: str | None = None
    """In place of the worker's own."""
    continues_span_id: str | None = None
    """The span whose session it continues; None: it has one of its own."""
    prompt: str = ""
    """The prompt with which it continues that session."""
    turns_before: int = 0
    """How many turns it had then."""
    max_attempts: int | None = None
    """How often it is tried at most, after any failure; None: its worker's `attempts`, where that is safe."""
    attempt: int = 1
    attempt_reason: str = ""
    """Why there is another attempt than the first."""
    output_schema: dict[str, JsonValue] | None = None
    """The schema of what its step has to give."""
    span_attributes: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """Further attributes of its span."""

    @property
    def allowance(self) -> Allowance:
        """Of a task with a share; no other is begun."""
        assert isinstance(self.allowance_or_failure, Allowance), self.allowance_or_failure
        return self.allowance_or_failure

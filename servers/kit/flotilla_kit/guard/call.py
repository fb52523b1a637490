"""One call on its way: the guard begins it, the tool's body and its store's transaction find in it who calls.

A context variable carries it to the body. Store functions run on other threads, so they get what they need handed over,
as an `Effect`.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from ..audit import Record
from ..audit.redaction import Parameters
from ..effects import Effect
from ..identity.principal import Principal


@dataclass
class Call:
    """Who calls what."""

    principal: Principal
    record: Record
    parameters: Parameters = field(default_factory=dict[str, bool])
    """Of the tool it calls; for the audit."""
    tool_use_id: str = ""
    """How Claude Code names the call; the same after a resume."""
    most_bytes: int = 0
    """That its answer may have."""
    evaluating: bool = False
    """Only find out whether it would need an approval: nothing may take effect."""
    understood: bool = False
    """Its arguments were validated and reached the tool's body."""
    effect: Effect | None = None
    """What a mutating tool's body is to hand to its store."""
    progress_done: float = float("-inf")
    progress_due: float = float("-inf")
    """How far it was when its caller was told last, and when (on the monotonic clock) it may be told again."""

    def abandon(self) -> None:
        """Leave the record to a transaction that may still be under way, and go on with a copy that yields to it.

        The writer's thread finishes what it has begun without its caller. Of the two records of one call, the one in
        the effect's own transaction is kept.
        """
        self.record = replace(self.record, in_effect=True)


CURRENT: ContextVar[Call] = ContextVar("call")


def current() -> Call:
    """The call that the running tool body serves."""
    return CURRENT.get()


def scope() -> Mapping[str, str]:
    """What the caller's records are narrowed to, such as `{"customer_id": "cust_12345"}`; empty for all of them."""
    mandate = CURRENT.get().principal.mandate
    return mandate.scope if mandate else {}


def most_bytes() -> int:
    """How many bytes the running tool's answer may have; what is larger is refused."""
    return CURRENT.get().most_bytes


def effect() -> Effect:
    """What the running tool body is to make happen, once; a body of a tool that only reads has none."""
    call = CURRENT.get()
    assert call.effect is not None, f"{call.record.tool} is declared to change nothing"
    return call.effect

"""Records a person's decision about a step's question in the step's span; the first decision counts."""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Connection, select, update

from ..errors import Failure
from .changes import record_change
from .journal import SPANS, Journal, now


async def record_decision(
    journal: Journal, span_id: str, decision: Mapping[str, JsonValue]
) -> tuple[dict[str, Any], bool]:
    """Record a decision, unless there is one.

    Args:
        decision: `state` (`approved`, `rejected`), `by`, `reason`.

    Returns:
        The question's `approval` as it is now, and whether this decision is the one.

    Raises:
        Failure: `unknown_approval`: nothing was asked there. `approval_expired`: it is too late.
    """
    return await journal.database.write(_record_decision, span_id, decision)


def _record_decision(
    connection: Connection, span_id: str, decision: Mapping[str, JsonValue]
) -> tuple[dict[str, Any], bool]:
    which = SPANS.c.span_id == span_id
    row = connection.execute(select(SPANS).where(which).with_for_update()).mappings().one_or_none()
    approval: dict[str, Any] | None = row["attributes"].get("approval") if row else None
    if row is None or approval is None:
        raise Failure("unknown_approval", "There is no such question.", "See `flotilla runs` and `flotilla trace RUN`.")
    if approval["state"] != "pending":
        return approval, False
    if approval["expires_at"] <= now():
        raise Failure("approval_expired", f"It was good until {approval['expires_at']}.", "The step has failed.")
    decided = {**approval, **decision, "decided_at": now()}
    attributes = {**row["attributes"], "approval": decided}
    connection.execute(update(SPANS).where(which).values(attributes=attributes))
    record_change(connection, row["run_id"], span_id)
    return decided, True

"""The calls that wait on servers which were not asked, because nobody has given a token for them."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ..journal.journal import RUNS, SPANS, Span
from ..service.resources import ServiceResources

_MOST = 50


@dataclass(frozen=True)
class WaitingCall:
    """What the journal says of it; only its server knows the facts. `of`: the amount at stake, or the tool's name."""

    run_id: str
    playbook: str
    tool: str
    of: str
    since: str


async def waiting_elsewhere(resources: ServiceResources, shown: Collection[str]) -> list[WaitingCall]:
    """The newest that are not among these approvals."""
    found = await resources.journal.query(_waiting)
    return [call for approval_id, call in found if approval_id not in shown]


def _waiting(connection: Connection) -> list[tuple[str, WaitingCall]]:
    query = select(SPANS, RUNS.c.playbook).join(RUNS, RUNS.c.run_id == SPANS.c.run_id)
    query = query.where(SPANS.c.status == "waiting", SPANS.c.kind != "approval")
    found: list[tuple[str, WaitingCall]] = []
    for row in connection.execute(query.order_by(SPANS.c.started_at.desc()).limit(_MOST)).mappings():
        span = Span(**{name: value for name, value in row.items() if name != "playbook"})
        recorded = span.attributes.get("approval")
        approval = recorded if isinstance(recorded, dict) else {}
        since = str(approval.get("asked_at") or span.started_at)
        tool = str(span.attributes.get("tool") or span.name)
        call = WaitingCall(span.run_id, row["playbook"], tool, str(approval.get("of") or ""), since)
        found.append((str(approval.get("approval_id")), call))
    return found

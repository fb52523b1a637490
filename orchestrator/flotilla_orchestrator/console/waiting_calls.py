"""The calls that wait on servers which were not asked, because nobody has given a token for them."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ..config.fields import TOOL_NAME
from ..journal.journal import AT_WORK, RUNS, SPANS, Span
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


async def waiting_elsewhere(resources: ServiceResources, asked: Collection[str]) -> list[WaitingCall]:
    """The newest, but for those on the servers that were asked."""
    found = await resources.journal.query(_waiting)
    return [call for call in found if _server(call.tool) not in asked]


def _server(tool: str) -> str:
    named = TOOL_NAME.fullmatch(tool)
    return named["server"] if named else ""


def _waiting(connection: Connection) -> list[WaitingCall]:
    query = select(SPANS, RUNS.c.playbook).join(RUNS, RUNS.c.run_id == SPANS.c.run_id)
    query = query.where(RUNS.c.status.in_(AT_WORK), SPANS.c.status == "waiting", SPANS.c.kind != "approval")
    found: list[WaitingCall] = []
    for row in connection.execute(query.order_by(SPANS.c.started_at.desc()).limit(_MOST)).mappings():
        span = Span(**{name: value for name, value in row.items() if name != "playbook"})
        recorded = span.attributes.get("approval")
        approval = recorded if isinstance(recorded, dict) else {}
        since = str(approval.get("asked_at") or span.started_at)
        tool = str(span.attributes.get("tool") or span.name)
        found.append(WaitingCall(span.run_id, row["playbook"], tool, str(approval.get("of") or ""), since))
    return found

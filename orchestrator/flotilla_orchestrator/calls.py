"""Records an agent's tool calls as spans, from the moment it asks for one, over whatever a person has to decide."""

from typing import Any

from pydantic import JsonValue

from .approvals import Approval
from .delegation import DELEGATE
from .journal import Journal, Span, Status, now
from .session_types import CallStatus


class Calls:
    """The observer of one agent's session, the processes that continue it included."""

    def __init__(self, journal: Journal, session: Span) -> None:
        self._journal, self._session = journal, session
        self._spans: dict[str, Span] = {}
        self.delegation = session  # the span of the latest delegate call: the CLI runs one at a time

    async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
        kind = "delegate" if tool == DELEGATE else "tool"
        attributes: dict[str, JsonValue] = {"tool": tool, "arguments": arguments, "tool_use_id": call_id}
        name = tool.rsplit("__", 1)[-1]
        span = Span(self._session.run_id, self._session.span_id, kind, name, attributes)
        self._spans[call_id] = span
        if kind == "delegate":
            self.delegation = span
        await self._journal.begin(span)

    async def call_waits(self, call_id: str, approval: Approval) -> None:
        await self._approval(call_id, "waiting", approval)

    async def call_decided(self, call_id: str, approval: Approval) -> None:
        """A person has decided; the session goes on."""
        await self._approval(call_id, "running", approval)

    async def call_ended(self, call_id: str, status: CallStatus, error: str | None = None) -> None:
        span = self._spans.pop(call_id)
        if error:
            span.attributes["error"] = error[:2000]
        await self._journal.end(span, status)

    async def close(self) -> None:
        """End what still waits when nobody waits for it any more."""
        for call_id in sorted(self._spans):
            await self.call_ended(call_id, "interrupted")

    async def _approval(self, call_id: str, status: Status, approval: Approval) -> None:
        span = self._spans[call_id]
        before = span.attributes.get("approval")
        span.status = status
        span.attributes["approval"] = {
            "approval_id": approval.approval_id,
            "of": approval.word,
            "state": approval.state,
            "by": approval.decided_by,
            "reason": approval.reason,
            "asked_at": before["asked_at"] if isinstance(before, dict) else now(),
            "decided_at": None if approval.state == "pending" else now(),
        }
        await self._journal.change(span)

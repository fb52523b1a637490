"""Records an agent's tool calls as spans, from the model's request to the result, waits included."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from ..config.fields import GATE, TOOL_NAME
from ..fleet.approvals import Approval
from ..fleet.circuit_breaker import CircuitBreaker, is_outage
from ..journal.journal import Journal, Span, Status, now, span_id_for
from ..mandates.guardrails import Trigger, merged
from ..telemetry.span_attributes import error_type_of
from .artifact_tools import recorded_arguments
from .delegation_tools import DELEGATE, TRANSFER
from .session_audit import SessionAudit, digest
from .types import CallStatus


def call_span_id(session_span: str, call_id: str) -> str:
    """The id of a call's span."""
    return span_id_for(session_span, call_id)


class CallRecorder:
    """The observer of one agent's session: one for each process that continues it.

    Args:
        audit: of the session; None: it has none.
        breaker: counts failures and successes of servers.
    """

    def __init__(
        self, journal: Journal, session: Span, audit: SessionAudit | None, breaker: CircuitBreaker | None = None
    ) -> None:
        self._journal, self._session, self._audit, self._breaker = journal, session, audit, breaker
        self._spans: dict[str, Span] = {}

    async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
        kind = "delegate" if tool in (DELEGATE, TRANSFER) else "tool"
        attributes: dict[str, JsonValue] = {
            "agent": self._session.name,
            "tool": tool,
            "arguments": recorded_arguments(tool, arguments),
            "tool_use_id": call_id,
        }
        name = tool.rsplit("__", 1)[-1]
        span = Span(
            self._session.run_id,
            self._session.span_id,
            kind,
            name,
            attributes,
            span_id=call_span_id(self._session.span_id, call_id),
        )
        self._spans[call_id] = await self._journal.begin(span)
        self._write("call", call_id, tool=tool, arguments_sha256=digest(arguments))

    async def call_guarded(self, call_id: str, triggered: Sequence[Trigger]) -> None:
        if span := await self._span(call_id):
            span.attributes["guardrails"] = merged(span.attributes.get("guardrails"), triggered)
            await self._journal.change(span)
        self._write("guardrail", call_id, found=[{"name": one["name"], "effect": one["effect"]} for one in triggered])

    async def call_waiting(self, call_id: str, approval: Approval) -> None:
        await self._record_approval(call_id, "waiting", approval)
        self._write("approval_requested", call_id, approval_id=approval.approval_id)

    async def call_decided(self, call_id: str, approval: Approval) -> None:
        """A person has decided; the call can run or be refused."""
        await self._record_approval(call_id, "running", approval)
        decided: dict[str, JsonValue] = {"state": approval.state, "by": approval.decided_by}
        self._write("approval_decided", call_id, approval_id=approval.approval_id, **decided)

    async def call_ended(self, call_id: str, status: CallStatus, error: str | None = None) -> None:
        if span := await self._span(call_id):
            if error:
                span.attributes["error"] = error[:2000]
            await self._report_to_breaker(span, status, error or "")
            await self._journal.end(span, status)
            code = None if status == "ok" else error_type_of(span)
            self._write("call_ended", call_id, status=status, error=code, seconds=round(span.seconds, 3))

    def _write(self, event: str, call_id: str, **facts: JsonValue) -> None:
        if self._audit:
            self._audit.write(event, call_id=call_id, **facts)

    async def _report_to_breaker(self, span: Span, status: CallStatus, error: str) -> None:
        tool = TOOL_NAME.fullmatch(str(span.attributes.get("tool")))
        if self._breaker is None or tool is None or tool["server"] == GATE:
            return
        if status == "ok":
            await self._breaker.record_success(tool["server"])
        elif is_outage(error):
            circuit = await self._breaker.record_failure(tool["server"], error)
            span.attributes["circuit"] = circuit.as_dict()

    async def end_answered_calls(self, results: Mapping[str, bool]) -> None:
        """End the calls whose results are in the transcript and were not recorded before a process died.

        Args:
            results: by id of the call, whether it is an error.
        """
        for span in await self._journal.spans(self._session.run_id):
            call_id = str(span.attributes.get("tool_use_id"))
            if span.parent_id == self._session.span_id and not span.ended_at and call_id in results:
                await self._journal.end(span, "failed" if results[call_id] else "ok")

    async def mark_lost_calls(self, recorded_ids: Collection[str], *, began: bool) -> int:
        """How many model calls an earlier process lost: the one it was in, and those without an answer there.

        Args:
            recorded_ids: the ids of the calls in the transcript.
            began: whether the prompt is there; a process may have died before it was.
        """
        spans = [span for span in await self._journal.spans(self._session.run_id) if "lost" not in span.attributes]
        spans = [span for span in spans if span.parent_id == self._session.span_id]
        if not (spans or began):
            return 0
        in_a_call = any(not span.ended_at or span.status == "interrupted" for span in spans)
        lost = [span for span in spans if span.attributes["tool_use_id"] not in recorded_ids]
        for span in lost:
            span.attributes["lost"] = True
            await (self._journal.change(span) if span.ended_at else self._journal.end(span, "interrupted"))
        return len(lost) + (not in_a_call)

    async def _record_approval(self, call_id: str, status: Status, approval: Approval) -> None:
        span = await self._span(call_id)
        if span and not span.ended_at:  # else an earlier process has ended it
            before = span.attributes.get("approval")
            span.status = status
            span.attributes["approval"] = {
                "approval_id": approval.approval_id,
                "of": approval.confirmation_text,
                "state": approval.state,
                "by": approval.decided_by,
                "reason": approval.reason,
                "asked_at": before["asked_at"] if isinstance(before, dict) else now(),
                "decided_at": None if approval.state == "pending" else now(),
            }
            await self._journal.change(span)

    async def _span(self, call_id: str) -> Span | None:
        """An earlier process may have begun it."""
        return self._spans.get(call_id) or await self._journal.span(call_span_id(self._session.span_id, call_id))

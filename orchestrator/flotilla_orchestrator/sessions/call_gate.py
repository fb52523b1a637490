"""Decides which calls of a session have to wait: for an approval, for workers' reports, or because the run is paused.

It enforces nothing: a call that needs an approval and passes here without one is refused by its server.
"""

import asyncio
import time
from typing import Any

from ..config.fields import TOOL_NAME
from ..errors import Failure
from ..fleet.approvals import Approval, ServerUnavailable
from .delegation_tools import DELEGATE, TRANSFER
from .types import PendingApproval, PendingCall, PendingDelegation, PendingPause, Session


class CallGate:
    """The decisions about a session's calls: None lets one run, a Failure refuses it, a PendingCall has it wait."""

    def __init__(self, session: Session) -> None:
        self.pending: PendingCall | None = None
        self._approvals, self._delegation, self._resumed_call = (
            session.approvals,
            session.delegation,
            session.resumed_call,
        )
        self._inbox, self._renew_at, self._lock = session.inbox, session.renew_at, asyncio.Lock()

    def resume(self, call: PendingCall) -> Failure | None:
        """Let the pending call run, now that it is decided or reported; returns why it may not, if so."""
        self.pending = None
        if isinstance(call, PendingDelegation):
            assert self._delegation, "it is granted to leads only"
            self._delegation.reports = call.reports
        return _failure_of(call.approval) if isinstance(call, PendingApproval) else None

    async def check(self, tool: str, arguments: dict[str, Any], call_id: str) -> Failure | PendingCall | None:
        resumed_call = self._resumed_call
        if resumed_call and resumed_call.tool_use_id == call_id and not isinstance(resumed_call, PendingPause):
            return _failure_of(resumed_call.approval) if isinstance(resumed_call, PendingApproval) else None
        async with self._lock:
            if self._inbox.paused or time.monotonic() >= self._renew_at:
                pending_or_failure = PendingPause(call_id)
            elif tool in (DELEGATE, TRANSFER):
                pending_or_failure = self._pending_delegation(tool, arguments, call_id)
            else:
                pending_or_failure = await self._check_approval(tool, arguments, call_id)
            if pending_or_failure is None or isinstance(pending_or_failure, Failure):
                return pending_or_failure
            if self.pending:
                return Failure(
                    "one_at_a_time",
                    "Another call of this turn has to be waited for; this one was not made.",
                    "Call again once the other one has its result.",
                    retryable=True,
                )
            self.pending = pending_or_failure
            return pending_or_failure

    def _pending_delegation(self, tool: str, arguments: dict[str, Any], call_id: str) -> PendingDelegation | None:
        assert self._delegation, "it is granted to leads only"
        try:
            return PendingDelegation(call_id, self._delegation.tasks(tool, arguments), transfer=tool == TRANSFER)
        except Failure:
            return None  # the tool itself returns why

    async def _check_approval(
        self, tool: str, arguments: dict[str, Any], call_id: str
    ) -> Failure | PendingApproval | None:
        approvals, name = self._approvals.get(tool), TOOL_NAME.fullmatch(tool)
        if approvals is None or name is None:
            return None
        try:
            answer = await approvals.request(name["tool"], arguments, call_id)
        except ServerUnavailable as failure:
            return failure
        except Failure:
            return None  # the call itself is refused for the same reason, with the server's own message
        if answer.approval is None or answer.status != "pending":
            return _failure_of(answer.approval)
        return PendingApproval(approvals.server, tool, call_id, answer.approval)


def _failure_of(approval: Approval | None) -> Failure | None:
    details = {"approval_id": approval.approval_id} if approval else {}
    match approval and approval.state:
        case "rejected":
            assert approval
            return Failure(
                "approval_rejected",
                f"A person refused this: {approval.reason or 'no reason was given'}",
                "Do not try to get the same effect another way; report the refusal.",
                details=details,
            )
        case "expired":
            message = "Nobody approved this in time; nothing was done."
            return Failure("approval_expired", message, "Report that it waits for a decision.", details=details)
        case _:
            return None

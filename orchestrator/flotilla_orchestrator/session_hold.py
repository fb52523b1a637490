"""Holds back the calls of a session that a person has to approve first.

It decides only when to stop. What may run, the server decides: whatever is let through here and has no approval is
refused there.
"""

import asyncio
from typing import Any

from .approvals import Approval, ServerUnavailable
from .config import TOOL_NAME
from .errors import Failure
from .session_types import Session, Waiting


class Hold:
    """For each call: None lets it run, a Failure refuses it, a Waiting ends the session in front of it."""

    def __init__(self, session: Session) -> None:
        self.waiting: Waiting | None = None
        self._asks, self._decided = session.asks, session.decided
        self._one_by_one = asyncio.Lock()

    async def verdict(self, tool: str, arguments: dict[str, Any], call_id: str) -> Failure | Waiting | None:
        approvals, name = self._asks.get(tool), TOOL_NAME.fullmatch(tool)
        if approvals is None or name is None:
            return None
        if self._decided and self._decided.tool_use_id == call_id:
            return _outcome(self._decided.approval)
        async with self._one_by_one:
            try:
                requested = await approvals.request(name["tool"], arguments, call_id)
            except ServerUnavailable as failure:
                return failure
            except Failure:
                return None  # the call itself is refused for the same reason, in the server's words
            if requested.approval is None or requested.status != "pending":
                return _outcome(requested.approval)
            if self.waiting:
                return Failure(
                    "one_at_a_time",
                    "Another call of this turn waits for a person to approve it; this one was not made.",
                    "Call again once the other one has its result.",
                    retryable=True,
                )
            self.waiting = Waiting(approvals.server, tool, call_id, requested.approval)
            return self.waiting


def _outcome(approval: Approval | None) -> Failure | None:
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

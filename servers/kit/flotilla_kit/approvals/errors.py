"""What a caller hears whose effect waits for a person, or was decided."""

from collections.abc import Mapping
from typing import Any

from ..errors import FlotillaError
from ..identity.principal import OWNER
from .approval import Approval


class ApprovalNeeded(Exception):
    """The effect has to wait; its transaction is undone. The tool's wrapper makes the request of it."""

    def __init__(self, facts: Mapping[str, Any], bound: str = "") -> None:
        super().__init__("approval needed")
        self.facts, self.bound = facts, bound


class ApprovalRequired(FlotillaError):
    code = "approval_required"


class ApprovalRejected(FlotillaError):
    code = "approval_rejected"


class ApprovalExpired(FlotillaError):
    code = "approval_expired"


class ApprovalUsed(FlotillaError):
    code = "approval_used"


class ApprovalMismatch(FlotillaError):
    code = "approval_mismatch"


class ApprovalDecided(FlotillaError):
    code = "approval_decided"


class SelfApproval(FlotillaError):
    code = "self_approval"


class TooManyApprovals(FlotillaError):
    code = "too_many_approvals"


def refusal(approval: Approval) -> FlotillaError:
    """What a caller hears whose effect has this approval, and so cannot happen now."""
    details = {"approval_id": approval.approval_id, "facts": approval.facts, "expires_at": approval.expires_at}
    match approval.state:
        case "rejected":
            return ApprovalRejected(
                f"A person refused this: {approval.reason or 'no reason was given'}",
                suggestion="Do not try to get the same effect another way; report the refusal.",
                details=details | {"reason": approval.reason},
            )
        case "expired":
            return ApprovalExpired(
                "The approval was not given, or not used, in time; nothing was done.",
                suggestion="Call again to ask anew, if it is still wanted.",
                details=details,
            )
        case "consumed":
            return ApprovalUsed(
                "This was approved once and has been done once.",
                suggestion="Look up its outcome. To do it a second time, it has to be asked for with request_approval.",
                details=details,
            )
        case _:
            return ApprovalRequired(
                "A person has to approve this first; nothing was done.",
                suggestion="Once approval_id is approved, make exactly the same call again.",
                details=details,
                # A worker's request is for whoever runs the worker to bring to an approver.
                command=("approvals", "approve", approval.approval_id) if approval.requester == OWNER.subject else None,
            )

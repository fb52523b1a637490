"""Approvals: a dangerous effect waits until another principal agrees to exactly these arguments, once."""

from .approval import PREFIX, Approval, Decision, State
from .errors import ApprovalNeeded, refusal
from .requests import MOST_IN_ALL, MOST_PENDING, ask, decide, find, get, require, waiting, was_used

__all__ = [
    "MOST_IN_ALL",
    "MOST_PENDING",
    "PREFIX",
    "Approval",
    "ApprovalNeeded",
    "Decision",
    "State",
    "ask",
    "decide",
    "find",
    "get",
    "refusal",
    "require",
    "waiting",
    "was_used",
]

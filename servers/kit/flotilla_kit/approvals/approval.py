"""What is asked of a person, and where it stands."""

from typing import Any, Literal

from pydantic import BaseModel

State = Literal["pending", "approved", "rejected", "consumed", "expired"]
Decision = Literal["approve", "reject"]

PREFIX = "apr_"  # of an approval's id, and of no idempotency key


class Approval(BaseModel):
    """What is asked, the facts that the server computed for whoever decides, and where it stands."""

    approval_id: str
    state: State
    requester: str
    run: str
    tool: str
    arguments: dict[str, Any]
    facts: dict[str, Any]
    created_at: str
    expires_at: str
    decided_at: str | None = None
    decided_by: str | None = None
    reason: str | None = None

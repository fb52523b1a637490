"""Who calls: the owner of a local server, a worker with a mandate, or an approver with a token of another issuer."""

import time
from dataclasses import dataclass
from typing import Literal

from .mandate import Mandate

Kind = Literal["owner", "worker", "approver"]


@dataclass(frozen=True)
class Principal:
    """A caller whose right to call was verified. Effects and approvals are kept by `subject` and `run`."""

    kind: Kind
    subject: str
    run: str = ""
    token_id: str = ""
    mandate: Mandate | None = None
    """What a worker may do; workers have one, others have none."""
    expires_at: float | None = None
    """Unix seconds; None does not expire."""

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and time.time() >= self.expires_at


OWNER = Principal("owner", "owner")

"""An approval as a person sees it who has to decide: the change field by field, the server's facts, the arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from urllib.parse import quote

from pydantic import JsonValue

from ..fleet.approvals import Approval
from .sessions import PREFIX

_CURRENT = "current"  # of a server's facts: the fields that a change is about, as they are now


@dataclass(frozen=True)
class FieldChange:
    """A field of a record; `known`: the server says what it is now."""

    name: str
    before: JsonValue
    after: JsonValue
    known: bool


@dataclass(frozen=True)
class ApprovalView:
    """An approval, and what stands around it.

    Attributes:
        server: None: a step of the run asks.
        own: whoever looks at it has asked for the run, so somebody else has to decide.
        requested_by: who has asked for the run, if that is known.
        ended: how its run has ended; empty: it has not.
    """

    server: str | None
    approval: Approval
    own: bool
    requested_by: str | None
    ended: str = ""

    @property
    def key(self) -> str:
        """Unique in a page."""
        return f"{self.server or 'step'}-{self.approval.approval_id}".replace("/", "-")

    @property
    def path(self) -> str:
        if self.server is None:
            return f"{PREFIX}/runs/{quote(self.approval.run, '')}/steps/{quote(self.approval.tool, '')}"
        return f"{PREFIX}/approvals/{quote(self.server, '')}/{quote(self.approval.approval_id, '')}"

    @property
    def pending(self) -> bool:
        return self.approval.state == "pending" and datetime.fromisoformat(self.approval.expires_at) > datetime.now(UTC)

    @property
    def question(self) -> JsonValue:
        """What a step asks."""
        return self.approval.facts.get("question") if self.server is None else None

    @property
    def amount(self) -> str:
        found = self.approval.facts.get("amount")
        return str(found) if self.server and isinstance(found, str | int | float) else ""

    @property
    def facts(self) -> list[tuple[str, JsonValue]]:
        hidden = {"question"} if self.server is None else {_CURRENT} if self.changes else set[str]()
        return [(name, value) for name, value in self.approval.facts.items() if name not in hidden]

    @property
    def changes(self) -> list[FieldChange]:
        """Field by field, where the server says what the fields are now."""
        current = self.approval.facts.get(_CURRENT)
        if self.server is None or not isinstance(current, dict):
            return []
        given = self.approval.arguments.get("changes")
        fields = cast("Mapping[str, JsonValue]", given if isinstance(given, dict) else self.approval.arguments)
        names = [*fields] if isinstance(given, dict) else [name for name in fields if name in current]
        return [FieldChange(name, current.get(name), fields[name], name in current) for name in names]

"""What the tools answer: records, as objects of the fields that were asked for, and more. What is unknown is absent."""

from typing import Any, Literal

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

Record = dict[str, Any]
"""A record as it is shown: its id, account and version, and fields that have a value."""


class Answer(BaseModel):
    """An object whose absent values are left out."""

    @model_serializer(mode="wrap")
    def _without_absent(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class Found(Answer):
    """The record that fits best, and others that fit: only their ids and names."""

    record: Record
    others: list[Record] | None = None


class User(Answer):
    """Somebody of ours, who owns records."""

    user_id: str
    name: str
    email: str | None = None
    title: str | None = None


class FieldChange(Answer):
    """What a field of a record was set to, from what, when and by whom."""

    record_type: str
    record_id: str
    version: int
    field: str
    old: Any = None
    new: Any = None
    at: str
    actor: str
    reason: str | None = None


class DuplicatePair(Answer):
    """Two contacts that may be one person, and why."""

    contact: Record
    other: Record
    why: list[str]


class Changed(Answer):
    """What a change did, and the record's version now."""

    contact_id: str | None = None
    deal_id: str | None = None
    activity_id: str | None = None
    account_id: str | None = None
    version: int
    stage: str | None = None
    occurred_at: str | None = None
    changed: list[str] | None = None
    warnings: list[Record] | None = None
    """Contacts that may be the same person."""
    merged: str | None = None
    moved_activities: int | None = None
    moved_deals: int | None = None


class Section(Answer):
    """A part of a review. `partial`: there is more, at the cursor or in fields that this caller cannot read."""

    status: Literal["ok", "partial", "unavailable"]
    source: str
    as_of: str
    note: str | None = None
    items: list[Record]
    next_cursor: str | None = None


class Review(Answer):
    """An account at a glance; `next_cursor` of a section continues it."""

    account_id: str
    as_of: str
    sections: dict[str, Section]


class Signal(Answer):
    """One observation: its value, the threshold that it is held against, the points for it, and its evidence."""

    signal: str
    value: Any = None
    threshold: Any = None
    points: float | None = None
    record_ids: list[str] | None = None
    at: str | None = None
    says: str | None = None


class Component(Answer):
    """A part of the score: 0 to 100, or unknown where nothing is known."""

    name: Literal["engagement", "financial", "satisfaction"]
    weight: float
    score: float | None = None
    known: bool
    signals: list[Signal]


class Health(Answer):
    """The weighted score of what is known; `coverage` is the weight of that. Below 0.5 there is no score."""

    account_id: str | None = None
    score: float | None = None
    status: Literal["healthy", "needs_attention", "at_risk", "unknown"]
    coverage: float
    as_of: str
    components: list[Component]


class Risk(Signal):
    """A signal that something is wrong, and how badly."""

    severity: Literal["critical", "high", "medium", "low"]


class Risks(Answer):
    """What is wrong at an account, worst first, and what could not be checked."""

    account_id: str
    as_of: str
    risks: list[Risk]
    not_checked: list[Record]

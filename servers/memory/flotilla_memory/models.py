"""What the history tools answer. What is not known is left out: an answer is read by a model, byte by byte."""

from typing import Any, Literal

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

from .records import CommitmentStatus

PassageKind = Literal["turn", "fact", "preference", "decision", "event", "commitment", "note"]


class Answer(BaseModel):
    """An object whose absent values are left out."""

    @model_serializer(mode="wrap")
    def _without_absent(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class Source(Answer):
    """The episode that a turn is of."""

    episode_id: str
    channel: str
    title: str | None = None
    uri: str | None = None


class Hit(Answer):
    """A turn of an episode, or a memory, that fits. `passage_id` cites it; `truncated`: `text` is its best part."""

    passage_id: str
    kind: str
    text: str
    truncated: bool | None = None
    by: str | None = None
    """The turn's speaker, the memory's subject."""
    account_id: str | None = None
    occurred_at: str
    valid_from: str | None = None
    valid_to: str | None = None
    sources: list[str] | None = None
    score: float
    why: str
    source: Source | None = None


class TimelineEntry(Answer):
    """An episode (with its first words as `text`) or a memory, at its time."""

    id: str
    kind: str
    occurred_at: str
    text: str
    truncated: bool | None = None
    by: str | None = None
    turns: int | None = None
    channel: str | None = None
    title: str | None = None
    valid_to: str | None = None


class RelatedEntity(Answer):
    """An entity, how it is related to `via`, and the passages that say so."""

    entity_id: str
    name: str
    type: str | None = None
    relation: str
    via: str
    depth: int
    valid_from: str | None = None
    valid_to: str | None = None
    evidence: list[str]


class Commitment(Answer):
    """What somebody promised. `overdue`: it is open and its day is past."""

    memory_id: str
    text: str
    truncated: bool | None = None
    by: str | None = None
    account_id: str
    due_on: str | None = None
    status: CommitmentStatus
    overdue: bool | None = None
    recorded_at: str
    sources: list[str] | None = None


class Conflicting(Answer):
    """A memory that is believed and says otherwise."""

    memory_id: str
    text: str


class Remembered(Answer):
    """`duplicate`: it was known as `memory_id`. `conflict`: nothing was written."""

    outcome: Literal["created", "duplicate", "conflict"]
    memory_id: str | None = None
    conflicts_with: list[Conflicting] | None = None
    superseded: list[str] | None = None
    suggestion: str | None = None


class Recorded(Answer):
    """`extended`: it was known, and further turns were added."""

    outcome: Literal["created", "extended", "duplicate"]
    episode_id: str
    turns: int


class Forgotten(Answer):
    """What is gone, or with `dry_run` would be, in counts.

    `log_emptied` false: another process reads, so the files have the bytes until a later change or start of the server.
    """

    dry_run: bool
    mode: Literal["expire", "erase"]
    memories: int
    episodes: int
    turns: int
    entities: int
    relations: int
    citations: int
    forgotten_at: str | None = None
    log_emptied: bool | None = None
    """Of an erasure on SQLite."""

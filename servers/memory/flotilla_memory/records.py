"""What is written into the memory: plain records, as tools and imports make them, before the store gives them ids."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

MemoryKind = Literal["fact", "preference", "decision", "event", "commitment", "note"]
CommitmentStatus = Literal["open", "kept", "broken"]


@dataclass(frozen=True)
class Turn:
    """What one speaker said or wrote. `occurred_at` is the episode's where it is None."""

    speaker: str | None
    text: str
    occurred_at: str | None = None


@dataclass(frozen=True)
class Episode:
    """A conversation, ticket, e-mail or note as it was, with its turns in order.

    `external_id` is what its source calls it: the same account and external id again is the same episode.
    """

    account_id: str
    channel: str
    occurred_at: str
    turns: tuple[Turn, ...]
    title: str | None = None
    external_id: str | None = None
    uri: str | None = None


@dataclass(frozen=True)
class Memory:
    """A statement that somebody wrote down. Times are ISO 8601 in UTC; None is not known, or not limited."""

    account_id: str
    kind: MemoryKind
    text: str
    subject: str | None = None
    attribute: str | None = None
    occurred_at: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    recorded_at: str | None = None
    """When it was first written down, from an import; None is now."""
    retired_at: str | None = None
    """From an import: when it was no longer believed."""
    confidence: float | None = None
    due_on: str | None = None
    status: CommitmentStatus | None = None
    sources: tuple[str, ...] = ()
    """Passages it rests on: ids of this store, or from an import the external ids of memories and episodes."""
    supersedes: tuple[str, ...] = ()
    external_id: str | None = None


@dataclass(frozen=True)
class Entity:
    """Somebody or something with a name, and what else it is called."""

    account_id: str
    name: str
    type: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Relation:
    """Two entities, by name, and how the first relates to the second: `works at`."""

    account_id: str
    subject: str
    predicate: str
    object: str
    valid_from: str | None = None
    valid_to: str | None = None
    sources: tuple[str, ...] = ()


Record: TypeAlias = Episode | Memory | Entity | Relation

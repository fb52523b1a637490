"""What a memory backend promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from flotilla_kit.effects import Effect
from flotilla_kit.paging import Page
from flotilla_kit.storage import Database

from .knowledge.store import KnowledgeStore
from .models import Commitment, Forgotten, Hit, Recorded, RelatedEntity, Remembered, TimelineEntry
from .reading.commitments import Wanted
from .records import Episode, Memory, Relation
from .retrieval.search import Query


@dataclass(frozen=True)
class Caller:
    """Whose records: one tenant's, and of these one account's where the caller's token says so."""

    tenant_id: str = "default"
    account_id: str | None = None


class MemoryStore(Protocol):
    """What is of another tenant, or another account than the caller's, does not exist.

    Every method raises `StoreUnavailable` when the database does not answer.
    """

    database: Database
    knowledge: KnowledgeStore

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ping(self) -> None: ...

    async def search(
        self, caller: Caller, account_id: str | None, query: Query, limit: int, cursor: str | None, max_bytes: int
    ) -> Page[Hit]:
        """What fits best first; empty when nothing does. Raises `InvalidCursor`.

        Args:
            account_id: None: in all that the caller may see.
            query: what is asked; where it is searched, and how many are found, is said here.
        """
        ...

    async def timeline(
        self,
        caller: Caller,
        account_id: str | None,
        since: str | None,
        until: str | None,
        kinds: Sequence[str] | None,
        limit: int,
        cursor: str | None,
        max_bytes: int,
    ) -> Page[TimelineEntry]:
        """Newest first. Raises `InvalidCursor`."""
        ...

    async def related(
        self,
        caller: Caller,
        account_id: str | None,
        entity: str,
        depth: int,
        limit: int,
        cursor: str | None,
        max_bytes: int,
    ) -> Page[RelatedEntity]:
        """Nearest first; empty for an entity that is not known. Raises `InvalidCursor`."""
        ...

    async def commitments(
        self,
        caller: Caller,
        account_id: str | None,
        wanted: Wanted,
        by: str | None,
        limit: int,
        cursor: str | None,
        max_bytes: int,
    ) -> Page[Commitment]:
        """The next due first. Raises `InvalidCursor`."""
        ...

    async def remember(
        self, caller: Caller, effect: Effect, memory: Memory, relations: Sequence[Relation]
    ) -> Remembered:
        """Write a memory once for this effect.

        Raises:
            NotFound: a source, or what it supersedes, is not there. Nothing was written.
            ApprovalNeeded, IdempotencyMismatch, IdempotencyKeyRequired: as effects have them. Nothing was written.
        """
        ...

    async def record(self, caller: Caller, effect: Effect, episode: Episode) -> Recorded:
        """Write an episode once. Raises `EpisodeChanged` and what `remember` raises."""
        ...

    async def forget(
        self, caller: Caller, effect: Effect, account_id: str | None, target: str, mode: str, *, dry_run: bool
    ) -> Forgotten:
        """Expire or erase; a dry run only counts.

        Raises:
            NotFound: there is nothing with that id.
            InvalidArguments: an episode cannot expire.
            ApprovalNeeded: erasing waits for a person. Nothing happened.
        """
        ...

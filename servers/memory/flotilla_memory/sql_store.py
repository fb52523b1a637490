"""The embedded backend: SQLite or PostgreSQL by one code path, and a folder of documents beside it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from flotilla_kit import times
from flotilla_kit.effects import Effect, faults
from flotilla_kit.paging import Page, decode_cursor, page_within
from flotilla_kit.storage import KIT_MIGRATIONS, Database, Migrations
from flotilla_kit.storage.addresses import store_url
from sqlalchemy import Connection, Select, select

from . import changes
from .knowledge.fts_store import FtsKnowledgeStore
from .knowledge.store import KnowledgeStore
from .models import Commitment, Conflicting, Forgotten, Hit, Recorded, RelatedEntity, Remembered, TimelineEntry
from .reading.commitments import Wanted, commitments
from .reading.hits import hits
from .reading.pages import MOST_HITS, numbered, shorter, start_of, time_and_id_of
from .reading.related import related
from .reading.timeline import timeline
from .records import Episode, Memory, Relation
from .retrieval import words
from .retrieval.search import Query, search, to_encode
from .schema import accounts, aliases, entities, passages
from .settings import Settings
from .store import Caller
from .writing import log

if TYPE_CHECKING:
    from .embedder import Embedder
    from .encoding.encoder import Encoder

MIGRATIONS = Migrations("memory", Path(__file__).parent / "migrations")
HIT_SHARE = 4  # of an answer, that one hit's text may have: a quarter
LONGEST = 500  # characters of an entry's text in a list
LONGEST_CONFLICT = 200  # of what a memory conflicts with
LOG_WAIT_MS = 1_000  # that an erasure waits for those who read
P = ParamSpec("P")


class SqlMemoryStore:
    """A `MemoryStore` over the embedded database.

    Raises:
        SettingsError: there is no such encoder.
    """

    knowledge: KnowledgeStore
    database: Database

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._encoder: Encoder | None = None
        self._embedder: Embedder | None = None
        if settings.encoder is not None:
            # Here, as a server without an encoder starts without any of it.
            from .encoding.encoder import encoder_of

            self._encoder = encoder_of(settings.encoder)
        self.knowledge = FtsKnowledgeStore(settings)

    def load(self) -> None:
        """Load the encoder, if there is one; `open` does without, as most commands search nothing.

        Raises:
            SettingsError: its files are damaged.
        """
        if self._encoder is not None:
            self._encoder.load()

    async def open(self) -> None:
        settings = self._settings
        url = store_url(settings)
        self._empties_log = url.startswith("sqlite") and not settings.read_only
        self.database = await Database.open(
            url, [KIT_MIGRATIONS, MIGRATIONS], read_only=settings.read_only, secure_delete=True
        )
        if settings.demo_data and not settings.read_only:
            await self._load_sample()
        await self._empty_log()
        await self.knowledge.open()
        if self._encoder is not None and not settings.read_only:
            from .embedder import Embedder

            self._embedder = Embedder(self.database, self._encoder)
            self._embedder.start()

    async def _load_sample(self) -> None:
        from . import sample  # with the formats of imports, which no other start has to pay for

        if await self.database.read(sample.is_empty):
            await self.database.write(sample.load)

    async def close(self) -> None:
        if self._embedder is not None:
            await self._embedder.close()
        await self.knowledge.close()
        await self.database.close()

    async def ping(self) -> None:
        await self.database.ping()

    async def search(
        self, caller: Caller, account_id: str | None, query: Query, limit: int, cursor: str | None, max_bytes: int
    ) -> Page[Hit]:
        start = start_of(cursor)
        wanted = replace(query, tenant_id=caller.tenant_id, limit=min(MOST_HITS, start + limit + 1))
        longest = max_bytes // HIT_SHARE
        if self._encoder is not None:
            # In a thread, as others would wait while it is encoded; the search then finds it done.
            text = await self.database.read(_to_encode, caller, account_id, wanted, self._encoder)
            if text is not None:
                await asyncio.to_thread(self._encoder.encode_question, text)
        found = await self.database.read(_found, caller, account_id, wanted, start, longest, self._encoder)
        return numbered(found, start, limit, max_bytes)

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
        after = None if cursor is None else time_and_id_of(cursor)
        wanted = None if kinds is None else frozenset(kinds)

        def read(conn: Connection) -> list[TimelineEntry]:
            key = _one_account(conn, caller, account_id)
            longest = min(LONGEST, max_bytes // HIT_SHARE)
            if key is None:
                return []
            return timeline(conn, key, since, until, wanted, times.now(), after, limit + 1, longest)

        found = await self.database.read(read)
        return page_within(found, max_bytes, lambda entry: (entry.occurred_at, entry.id), limit=limit, shorten=shorter)

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
        start = start_of(cursor)

        def read(conn: Connection) -> list[RelatedEntity]:
            key = _one_account(conn, caller, account_id)
            return [] if key is None else related(conn, key, entity, depth, times.now(), start + limit + 1)[start:]

        return numbered(await self.database.read(read), start, limit, max_bytes)

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
        after = None
        if cursor is not None:
            due, key = decode_cursor(cursor, str, int)
            after = (str(due), int(key))

        def read(conn: Connection) -> list[tuple[tuple[str, int], Commitment]]:
            within = _within(caller, account_id)
            names = None if by is None else _names(conn, within, by)
            return commitments(conn, within, wanted, names, times.now(), after, limit + 1, LONGEST)

        found = await self.database.read(read)
        position = {commitment.memory_id: at for at, commitment in found}
        items = [commitment for _, commitment in found]
        return page_within(items, max_bytes, lambda one: position[one.memory_id], limit=limit, shorten=shorter)

    async def remember(
        self, caller: Caller, effect: Effect, memory: Memory, relations: Sequence[Relation]
    ) -> Remembered:
        outcome = await self._once(changes.remember, effect, caller.tenant_id, memory, relations)
        if outcome["outcome"] != "conflict":
            superseded = outcome["superseded"] or None
            return Remembered.model_validate({**outcome, "conflicts_with": None, "superseded": superseded})
        conflicting = await self.database.read(_conflicting, outcome["conflicts_with"])
        suggestion = "If yours is right now, say it again with supersedes."
        return Remembered(outcome="conflict", conflicts_with=conflicting, suggestion=suggestion)

    async def record(self, caller: Caller, effect: Effect, episode: Episode) -> Recorded:
        return Recorded.model_validate(await self._once(changes.record, effect, caller.tenant_id, episode))

    async def forget(
        self, caller: Caller, effect: Effect, account_id: str | None, target: str, mode: str, *, dry_run: bool
    ) -> Forgotten:
        wanted = account_id or caller.account_id or ""
        # Only to count needs neither a key nor, unless the caller's mandate says so, a person.
        if dry_run and effect.mode != "evaluating" and not effect.approval_required:

            def preview(conn: Connection) -> dict[str, Any]:
                return changes.preview(conn, effect, _one_account(conn, caller, wanted), target, mode)

            return Forgotten.model_validate(await self.database.read(preview))
        outcome = await self._once(changes.forget, effect, caller.tenant_id, wanted, target, mode, dry_run=dry_run)
        emptied = await self._empty_log(LOG_WAIT_MS) if mode == "erase" and not dry_run else None
        return Forgotten.model_validate({**outcome, "log_emptied": emptied})

    async def _empty_log(self, wait_ms: int = 0) -> bool | None:
        """Empty the log if something was erased since that was done; whether nothing erased is in it now.

        None: it is not ours to empty.
        """
        if not self._empties_log:
            return None
        number = await self.database.read(log.due)
        if number is None:
            return True
        emptied = await self.database.truncate_log(wait_ms)
        if emptied:
            await self.database.write(log.note_emptied, number)
        return emptied

    async def _once(
        self,
        change: Callable[Concatenate[Connection, Effect, P], changes.Outcome],
        effect: Effect,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> changes.Outcome:
        outcome = await self.database.write_unique(change, effect, *args, **kwargs)  # or the same account is made
        faults.point("committed")
        if self._embedder is not None:
            self._embedder.wake()
        await self._empty_log()  # of an erasure that others' reading held up
        return outcome


def _conflicting(conn: Connection, passage_ids: Sequence[str]) -> list[Conflicting]:
    """What is believed, by ids; of what is gone by now, no text."""
    p = passages.c
    found = select(p.passage_id, p.text).where(p.passage_id.in_(passage_ids))
    texts = {str(passage_id): str(said) for passage_id, said in conn.execute(found)}
    return [Conflicting(memory_id=one, text=texts.get(one, "")[:LONGEST_CONFLICT]) for one in passage_ids]


def _found(
    conn: Connection,
    caller: Caller,
    account_id: str | None,
    query: Query,
    start: int,
    longest: int,
    encoder: "Encoder | None",
) -> list[Hit]:
    chosen = _chosen(conn, caller, account_id)
    if chosen == []:
        return []
    found = search(conn, replace(query, account_keys=chosen), times.now(), encoder=encoder)
    return hits(conn, found[start:], query.text, longest)


def _to_encode(
    conn: Connection, caller: Caller, account_id: str | None, query: Query, encoder: "Encoder"
) -> str | None:
    chosen = _chosen(conn, caller, account_id)
    return None if chosen == [] else to_encode(conn, replace(query, account_keys=chosen), times.now(), encoder)


def _chosen(conn: Connection, caller: Caller, account_id: str | None) -> list[int] | None:
    """The accounts to search; None is all of the tenant's."""
    if account_id is None and caller.account_id is None:
        return None
    return list(conn.execute(_within(caller, account_id)).scalars())


def _within(caller: Caller, account_id: str | None) -> Select[int]:
    """The accounts to read: the one named, else the caller's only one, else all of the tenant's."""
    a = accounts.c
    found = select(a.account_key).where(a.tenant_id == caller.tenant_id)
    if account_id is not None:
        found = found.where(a.account_id == account_id)
    return found if caller.account_id is None else found.where(a.account_id == caller.account_id)


def _one_account(conn: Connection, caller: Caller, account_id: str | None) -> int | None:
    """The account to read; the caller's own notes where none is named."""
    wanted = account_id if account_id is not None else caller.account_id or ""
    return conn.execute(_within(caller, wanted)).scalar()


def _names(conn: Connection, within: Select[int], by: str) -> list[str]:
    """What whoever is called `by` is called in these accounts."""
    of, a = entities.c, aliases.c
    named = (
        select(of.name)
        .join(aliases, a.entity_key == of.entity_key)
        .where(of.account_key.in_(within), a.alias == words.folded(by))
    )
    return sorted({by, *conn.execute(named).scalars()})

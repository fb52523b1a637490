"""The embedded backend: SQLite or PostgreSQL by one code path, and a folder of documents beside it."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from flotilla_kit import approvals, effects
from flotilla_kit.effects import Effect, faults
from flotilla_kit.errors import InvalidCursor, NotFound
from flotilla_kit.paging import Page, answer_bytes, decode_cursor, page_within
from flotilla_kit.storage import KIT_MIGRATIONS, Database, Migrations
from flotilla_kit.storage.addresses import store_url
from pydantic import BaseModel
from sqlalchemy import Connection, Select, select, text
from sqlalchemy.exc import IntegrityError

from . import times
from .knowledge.fts_store import FtsKnowledgeStore
from .knowledge.store import KnowledgeStore
from .models import Commitment, Conflicting, Forgotten, Hit, Recorded, RelatedEntity, Remembered, TimelineEntry
from .reading.commitments import Wanted, commitments
from .reading.hits import hits
from .reading.related import related
from .reading.timeline import timeline
from .records import Episode, Memory, Relation
from .retrieval.search import Query, search
from .schema import accounts, aliases, entities, passages
from .settings import Settings
from .store import Caller, Question
from .writing import entities as entity_writes
from .writing import episodes, forgetting, ids, memories
from .writing.accounts import lock, lock_known

MIGRATIONS = Migrations("memory", Path(__file__).parent / "migrations")
MOST_HITS = 300  # the best of a search, that pages can show
HIT_SHARE = 4  # of an answer, that one hit's text may have: a quarter
LONGEST = 500  # characters of an entry's text in a list
LONGEST_CONFLICT = 200  # of what a memory conflicts with
SHORTEST = 40  # of a text, before other parts of an item that is too large are left out:
DISPENSABLE: Mapping[str, Any] = {"source": None, "sources": None, "evidence": [], "title": None, "by": None, "why": ""}
T = TypeVar("T", bound=BaseModel)


class SqlMemoryStore:
    """A `MemoryStore` over the embedded database."""

    knowledge: KnowledgeStore
    database: Database

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.knowledge = FtsKnowledgeStore(settings)

    async def open(self) -> None:
        settings = self._settings
        self.database = await Database.open(
            store_url(settings), [KIT_MIGRATIONS, MIGRATIONS], read_only=settings.read_only, secure_delete=True
        )
        await self.knowledge.open()

    async def close(self) -> None:
        await self.knowledge.close()
        await self.database.close()

    async def ping(self) -> None:
        await self.database.read(lambda conn: conn.execute(text("SELECT 1")) and None)

    async def search(
        self, caller: Caller, question: Question, limit: int, cursor: str | None, max_bytes: int
    ) -> Page[Hit]:
        start = _start(cursor)
        found = await self.database.read(_found, caller, question, start, limit, max_bytes // HIT_SHARE)
        return _numbered(found, start, limit, max_bytes)

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
        after = None if cursor is None else _text_pair(cursor)
        wanted = None if kinds is None else frozenset(kinds)

        def read(conn: Connection) -> list[TimelineEntry]:
            key = _one_account(conn, caller, account_id)
            longest = min(LONGEST, max_bytes // HIT_SHARE)
            if key is None:
                return []
            return timeline(conn, key, since, until, wanted, times.now(), after, limit + 1, longest)

        found = await self.database.read(read)
        return page_within(found, max_bytes, lambda entry: (entry.occurred_at, entry.id), limit=limit, shorten=_shorter)

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
        start = _start(cursor)

        def read(conn: Connection) -> list[RelatedEntity]:
            key = _one_account(conn, caller, account_id)
            return [] if key is None else related(conn, key, entity, depth, times.now(), start + limit + 1)[start:]

        return _numbered(await self.database.read(read), start, limit, max_bytes)

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
        return page_within(items, max_bytes, lambda one: position[one.memory_id], limit=limit, shorten=_shorter)

    async def remember(
        self, caller: Caller, effect: Effect, memory: Memory, relations: Sequence[Relation]
    ) -> Remembered:
        outcome = await self._once(partial(_remember, caller=caller, memory=memory, relations=relations), effect)
        return await self.database.read(_said, outcome)

    async def record(self, caller: Caller, effect: Effect, episode: Episode) -> Recorded:
        outcome = await self._once(partial(_record, caller=caller, episode=episode), effect)
        return Recorded.model_validate(outcome)

    async def forget(
        self, caller: Caller, effect: Effect, account_id: str | None, target: str, mode: str, *, dry_run: bool
    ) -> Forgotten:
        asked = partial(_forget, caller=caller, account_id=account_id, target=target, mode=mode, dry_run=dry_run)
        if _previews(effect, dry_run=dry_run):
            return Forgotten.model_validate(await self.database.read(asked, effect))
        outcome = await self._once(asked, effect)
        if mode == "erase" and not dry_run:
            await self.database.truncate_log()
        return Forgotten.model_validate(outcome)

    async def _once(self, f: "partial[dict[str, Any]]", effect: Effect) -> dict[str, Any]:
        try:
            return await self.database.write(f, effect)
        except IntegrityError:
            # Another transaction recorded this key, or made the same account, first; a new one can see it.
            return await self.database.write(f, effect)


def _remember(
    conn: Connection, effect: Effect, *, caller: Caller, memory: Memory, relations: Sequence[Relation]
) -> dict[str, Any]:
    key = lock(conn, caller.tenant_id, [memory.account_id])[memory.account_id]
    earlier = effects.recorded(conn, effect)
    if earlier is not None:
        return earlier
    effect = approvals.require(conn, effect, needed=False, facts={"account_id": memory.account_id})
    faults.point("consuming")
    now = times.now()
    done = memories.remember(conn, key, memory, now)
    if done.outcome != "conflict":
        for relation in relations:
            also = [] if done.passage_key is None else [done.passage_key]
            entity_writes.relate(conn, key, relation, now, also)
    outcome = {
        "outcome": done.outcome,
        "memory_id": done.memory_id,
        "conflicts_with": list(done.conflicts_with),
        "superseded": list(done.superseded),
    }
    effects.record(conn, effect, outcome)
    return outcome


def _said(conn: Connection, outcome: Mapping[str, Any]) -> Remembered:
    """An outcome, with the texts of what it conflicts with: those are in no record of effects."""
    p = passages.c
    found = select(p.passage_id, p.text).where(p.passage_id.in_(outcome["conflicts_with"]))
    texts = {str(passage_id): str(said) for passage_id, said in conn.execute(found)}
    conflict = outcome["outcome"] == "conflict"
    return Remembered(
        outcome=outcome["outcome"],
        memory_id=outcome["memory_id"],
        conflicts_with=[
            Conflicting(memory_id=passage_id, text=texts.get(passage_id, "")[:LONGEST_CONFLICT])
            for passage_id in outcome["conflicts_with"]
        ]
        or None,
        superseded=outcome["superseded"] or None,
        suggestion="If yours is right now, say it again with supersedes." if conflict else None,
    )


def _record(conn: Connection, effect: Effect, *, caller: Caller, episode: Episode) -> dict[str, Any]:
    key = lock(conn, caller.tenant_id, [episode.account_id])[episode.account_id]
    earlier = effects.recorded(conn, effect)
    if earlier is not None:
        return earlier
    effect = approvals.require(conn, effect, needed=False, facts={"account_id": episode.account_id})
    faults.point("consuming")
    episode_id, done = episodes.record(conn, key, episode, times.now())
    outcome = {"outcome": done, "episode_id": episode_id, "turns": len(episode.turns)}
    effects.record(conn, effect, outcome)
    return outcome


def _forget(
    conn: Connection,
    effect: Effect,
    *,
    caller: Caller,
    account_id: str | None,
    target: str,
    mode: str,
    dry_run: bool,
) -> dict[str, Any]:
    previewing = _previews(effect, dry_run=dry_run)
    wanted = account_id or caller.account_id or ""
    key = _one_account(conn, caller, wanted) if previewing else lock_known(conn, caller.tenant_id, wanted)
    if (earlier := effects.recorded(conn, effect)) is not None:
        return earlier
    if key is None:
        raise NotFound("There is nothing with that id.", suggestion="Pass an id as search answers have it.")
    chosen = forgetting.choose(conn, key, target, mode)
    if previewing:
        return forgetting.count(conn, chosen, mode, dry_run=True).model_dump()
    now = times.now()
    outcome = forgetting.count(conn, chosen, mode, dry_run=dry_run, at=None if dry_run else now).model_dump()
    facts = {name: value for name, value in outcome.items() if name not in ("dry_run", "forgotten_at")}
    needed = mode == "erase" and not dry_run
    effect = approvals.require(conn, effect, needed=needed, facts={"account_id": wanted, "target": target, **facts})
    faults.point("consuming")
    if not dry_run:
        if mode == "erase":
            forgetting.erase(conn, key, chosen)
        else:
            forgetting.expire(conn, chosen, now)
    effects.record(conn, effect, outcome)
    return outcome


def _previews(effect: Effect, *, dry_run: bool) -> bool:
    """Whether it is only counted, which needs neither a key nor, unless the caller's mandate says so, a person."""
    return dry_run and effect.mode != "evaluating" and not effect.approval_required


def _found(conn: Connection, caller: Caller, question: Question, start: int, limit: int, longest: int) -> list[Hit]:
    everywhere = question.account_id is None and caller.account_id is None
    chosen = None if everywhere else list(conn.execute(_within(caller, question.account_id)).scalars())
    if chosen == []:
        return []
    query = Query(
        text=question.text,
        tenant_id=caller.tenant_id,
        account_keys=chosen,
        since=question.since,
        until=question.until,
        as_of=question.as_of,
        kinds=question.kinds,
        entity=question.entity,
        limit=min(MOST_HITS, start + limit + 1),
    )
    return hits(conn, search(conn, query, times.now())[start:], question.text, longest)


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
        .where(of.account_key.in_(within), a.alias == ids.folded(by))
    )
    return sorted({by, *conn.execute(named).scalars()})


def _start(cursor: str | None) -> int:
    start = 0 if cursor is None else int(decode_cursor(cursor, int)[0])
    if not 0 <= start <= MOST_HITS:
        raise InvalidCursor("That cursor is none of this tool's.", suggestion="Leave it out to start over.")
    return start


def _text_pair(cursor: str) -> tuple[str, str]:
    time, identifier = decode_cursor(cursor, str, str)
    return str(time), str(identifier)


def _numbered(found: Sequence[T], start: int, limit: int, max_bytes: int) -> Page[T]:
    """A page of a list that is computed anew for every page; the cursor counts its items."""
    end = count(start + 1)
    return page_within(found, max_bytes, lambda _: (next(end),), limit=limit, shorten=_shorter)


def _shorter(item: T, room: int) -> T:
    """An item that fits: its text cut, then without what it can do without."""
    said: str = getattr(item, "text", "")
    while len(said) > SHORTEST and answer_bytes(item) > room:
        said = said[: len(said) // 2]
        item = item.model_copy(update={"text": said, "truncated": True})
    for name, nothing in DISPENSABLE.items():
        if answer_bytes(item) > room and name in type(item).model_fields:
            item = item.model_copy(update={name: nothing})
    return item

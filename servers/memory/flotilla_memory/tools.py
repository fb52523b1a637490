"""What the model sees of the history. Each tool is a line over the store; bad input never reaches it."""

from typing import Literal

from fastmcp.tools import tool
from flotilla_kit import tools
from flotilla_kit.arguments import Cursor, IdempotencyKey, Limit, Name, OptionalDay, OptionalInstant, OptionalName
from flotilla_kit.paging import Page
from flotilla_kit.times import instant, instant_or_day
from flotilla_kit.tools import DESTROY, READ, WRITE, declare, store_of

from . import records
from .arguments import (
    AccountId,
    Channel,
    Depth,
    Instant,
    Kinds,
    MaxChars,
    OptionalAccountId,
    OptionalTime,
    PassageIds,
    Query,
    Relations,
    Statement,
    TargetId,
    TimelineKinds,
    Turns,
)
from .knowledge.tools import get_document, search_knowledge
from .models import Commitment, Forgotten, Hit, Recorded, RelatedEntity, Remembered, TimelineEntry
from .reading.commitments import Wanted
from .records import CommitmentStatus, MemoryKind
from .retrieval.search import Query as SearchQuery
from .store import Caller, MemoryStore

BY_ACCOUNT = "the store looks at the record's account and tenant"
NOTES = ""  # the caller's own, of no account
DEFAULT = 2_000  # bytes of an answer that nobody asked to be longer


def _store() -> MemoryStore:
    return store_of()


def _caller() -> Caller:
    return Caller(**tools.scope())


def _instant(said: str | None) -> str | None:
    return None if said is None else instant(said)


def _moment(said: str | None) -> str | None:
    return None if said is None else instant_or_day(said)


def _bytes(most: int = DEFAULT) -> int:
    return min(most, tools.most_bytes())


@tool(annotations=WRITE)
@declare(approval="never", scoped=BY_ACCOUNT)
async def remember(
    text: Statement,
    account_id: OptionalAccountId = None,
    kind: MemoryKind = "fact",
    subject: OptionalName = None,
    attribute: OptionalName = None,
    valid_from: OptionalInstant = None,
    valid_to: OptionalInstant = None,
    due_on: OptionalDay = None,
    status: CommitmentStatus = "open",
    sources: PassageIds = None,
    supersedes: PassageIds = None,
    relations: Relations = [],  # noqa: B006  # never changed
    idempotency_key: IdempotencyKey = None,
) -> Remembered:
    """Keep one statement. Of a subject's attribute (renewal_date) one is believed at a time."""
    del idempotency_key  # it is in the effect
    account = account_id or NOTES
    memory = records.Memory(
        account_id=account,
        kind=kind,
        text=text,
        subject=subject,
        attribute=attribute,
        valid_from=_instant(valid_from),
        valid_to=_instant(valid_to),
        due_on=due_on,
        status=status,
        sources=tuple(sources or ()),
        supersedes=tuple(supersedes or ()),
    )
    related = [records.Relation(account, one["subject"], one["predicate"], one["object"]) for one in relations]
    return await _store().remember(_caller(), tools.effect(), memory, related)


@tool(annotations=WRITE)
@declare(approval="never", scoped=BY_ACCOUNT)
async def record_episode(
    channel: Channel,
    occurred_at: Instant,
    turns: Turns,
    account_id: OptionalAccountId = None,
    title: OptionalName = None,
    external_id: OptionalName = None,
    idempotency_key: IdempotencyKey = None,
) -> Recorded:
    """Keep a call, email or note word for word. Again by its external_id, further turns are added."""
    del idempotency_key
    said = tuple(records.Turn(turn.get("speaker"), turn["text"], _instant(turn.get("occurred_at"))) for turn in turns)
    episode = records.Episode(account_id or NOTES, channel, instant(occurred_at), said, title, external_id)
    return await _store().record(_caller(), tools.effect(), episode)


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def recall(
    query: Query,
    account_id: OptionalAccountId = None,
    limit: Limit = 5,
    max_chars: MaxChars = DEFAULT,
    cursor: Cursor = None,
) -> Page[Hit]:
    """Find what is remembered, best first, with citations. Empty: nothing is known."""
    return await _store().search(_caller(), account_id, SearchQuery(query), limit, cursor, _bytes(max_chars))


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def search_account_history(
    account_id: AccountId,
    query: Query,
    since: OptionalTime = None,
    until: OptionalTime = None,
    as_of: OptionalTime = None,
    kinds: Kinds = None,
    entity: OptionalName = None,
    limit: Limit = 5,
    max_chars: MaxChars = DEFAULT,
    cursor: Cursor = None,
) -> Page[Hit]:
    """Find passages in an account's calls, emails, tickets and memories; as_of: as believed then."""
    asked = SearchQuery(
        query,
        since=_instant(since),
        until=_moment(until),
        as_of=_moment(as_of),
        kinds=None if kinds is None else frozenset(kinds),
        entity=entity,
    )
    return await _store().search(_caller(), account_id, asked, limit, cursor, _bytes(max_chars))


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def get_account_timeline(
    account_id: AccountId,
    since: OptionalTime = None,
    until: OptionalTime = None,
    kinds: TimelineKinds = None,
    limit: Limit = 10,
    max_chars: MaxChars = DEFAULT,
    cursor: Cursor = None,
) -> Page[TimelineEntry]:
    """What happened at an account, newest first: episodes by their first words, memories."""
    return await _store().timeline(
        _caller(), account_id, _instant(since), _moment(until), kinds, limit, cursor, _bytes(max_chars)
    )


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def get_related_entities(
    entity: Name,
    account_id: OptionalAccountId = None,
    depth: Depth = 1,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[RelatedEntity]:
    """People and things related to one, with the passages that say so."""
    return await _store().related(_caller(), account_id, entity, depth, limit, cursor, _bytes())


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def list_commitments(
    account_id: OptionalAccountId = None,
    status: Wanted = "open",
    by: OptionalName = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[Commitment]:
    """What was promised, next due first. Kept or broken? remember it with status and supersedes."""
    return await _store().commitments(_caller(), account_id, status, by, limit, cursor, _bytes())


@tool(annotations=DESTROY)
@declare(approval="rule", scoped=BY_ACCOUNT)
async def forget(
    target_id: TargetId,
    account_id: OptionalAccountId = None,
    mode: Literal["expire", "erase"] = "expire",
    dry_run: bool = True,
    idempotency_key: IdempotencyKey = None,
) -> Forgotten:
    """Stop believing a memory (expire), or erase it, an episode, an entity or the account. dry_run only counts."""
    del idempotency_key
    return await _store().forget(_caller(), tools.effect(), account_id, target_id, mode, dry_run=dry_run)


TOOLS = [
    remember,
    record_episode,
    recall,
    search_account_history,
    get_account_timeline,
    get_related_entities,
    list_commitments,
    forget,
    search_knowledge,
    get_document,
]

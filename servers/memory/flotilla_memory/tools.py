"""What the model sees of the history. Each tool is a line over the store; bad input never reaches it."""

from typing import (
    Annotated,
    Literal,
    NotRequired,  # Pydantic wants these before Python 3.12
)

from fastmcp.tools import tool
from flotilla_kit import tools
from flotilla_kit.effects import IdempotencyKey
from flotilla_kit.paging import Cursor, Limit, Page
from flotilla_kit.tools import DESTROY, READ, WRITE, declare, store_of
from pydantic import Field
from typing_extensions import TypedDict

from . import records
from .knowledge.tools import get_document, search_knowledge
from .models import (
    AccountId,
    Commitment,
    Forgotten,
    Hit,
    PassageId,
    PassageKind,
    Recorded,
    RelatedEntity,
    Remembered,
    TimelineEntry,
)
from .reading.commitments import Wanted
from .records import CommitmentStatus, MemoryKind
from .store import Caller, MemoryStore, Question
from .times import Day, Instant, InstantOrDay, instant, instant_or_day

BY_ACCOUNT = "the store looks at the record's account and tenant"
DEFAULT = 2_000  # bytes of an answer that nobody asked to be longer

Query = Annotated[str, Field(min_length=1, max_length=2_000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
MaxChars = Annotated[int, Field(ge=500, le=100_000, description="of the whole answer")]
TargetId = Annotated[str, Field(pattern=r"^(account|(mem|ep|ent)_[0-9a-f]{20})$", description="An id, or account")]


# What callers give. No docstrings: they would be in the schema, which a model is shown.
class TurnSaid(TypedDict):
    speaker: NotRequired[Name]
    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    occurred_at: NotRequired[Instant]


class Related(TypedDict):
    subject: Name
    predicate: Name
    object: Name


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
    text: Annotated[str, Field(min_length=1, max_length=4_000, description="One statement, whole by itself")],
    account_id: AccountId = "",
    kind: MemoryKind = "fact",
    subject: Name | None = None,
    attribute: Annotated[str, Field(max_length=100, description="Of which the subject has one, as renewal_date")]
    | None = None,
    occurred_at: Instant | None = None,
    valid_from: Instant | None = None,
    valid_to: Instant | None = None,
    due_on: Day | None = None,
    status: CommitmentStatus | None = None,
    sources: Annotated[list[PassageId], Field(max_length=20, description="Passages it rests on")] = [],  # noqa: B006  # never changed
    supersedes: Annotated[list[PassageId], Field(max_length=20)] = [],  # noqa: B006
    relations: Annotated[list[Related], Field(max_length=20)] = [],  # noqa: B006
    idempotency_key: IdempotencyKey | None = None,
) -> Remembered:
    """Keep one fact, decision, preference or commitment. For what was said as it was said, record_episode."""
    del idempotency_key  # it is in the effect
    memory = records.Memory(
        account_id=account_id,
        kind=kind,
        text=text,
        subject=subject,
        attribute=attribute,
        occurred_at=_instant(occurred_at),
        valid_from=_instant(valid_from),
        valid_to=_instant(valid_to),
        due_on=due_on,
        status=status,
        sources=tuple(sources),
        supersedes=tuple(supersedes),
    )
    related = [records.Relation(account_id, one["subject"], one["predicate"], one["object"]) for one in relations]
    return await _store().remember(_caller(), tools.effect(), memory, related)


@tool(annotations=WRITE)
@declare(approval="never", scoped=BY_ACCOUNT)
async def record_episode(
    channel: Annotated[str, Field(min_length=1, max_length=40, description="As call, email, ticket, note")],
    occurred_at: Instant,
    turns: Annotated[list[TurnSaid], Field(min_length=1, max_length=1_000)],
    account_id: AccountId = "",
    title: Name | None = None,
    external_id: Annotated[str, Field(min_length=1, max_length=200, description="The source's own id")] | None = None,
    idempotency_key: IdempotencyKey | None = None,
) -> Recorded:
    """Keep a call, e-mail thread, ticket or note word for word. Again with its external_id, it adds further turns."""
    del idempotency_key
    said = tuple(records.Turn(turn.get("speaker"), turn["text"], _instant(turn.get("occurred_at"))) for turn in turns)
    episode = records.Episode(account_id, channel, instant(occurred_at), said, title, external_id)
    return await _store().record(_caller(), tools.effect(), episode)


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def recall(
    query: Query,
    account_id: AccountId | None = None,
    limit: Limit = 5,
    max_chars: MaxChars = DEFAULT,
    cursor: Cursor | None = None,
) -> Page[Hit]:
    """Find what is remembered about anything, best first, each with its citation. Empty: nothing is known."""
    return await _store().search(_caller(), Question(query, account_id), limit, cursor, _bytes(max_chars))


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def search_account_history(
    account_id: AccountId,
    query: Query,
    since: InstantOrDay | None = None,
    until: InstantOrDay | None = None,
    as_of: Annotated[InstantOrDay, Field(description="As it was believed then")] | None = None,
    kinds: Annotated[list[PassageKind], Field(max_length=7)] | None = None,
    entity: Annotated[Name, Field(description="Only by or about it")] | None = None,
    limit: Limit = 5,
    max_chars: MaxChars = DEFAULT,
    cursor: Cursor | None = None,
) -> Page[Hit]:
    """Find passages in one account's calls, e-mails, tickets and memories, by words, time, kind or person."""
    question = Question(
        query,
        account_id,
        _instant(since),
        _moment(until),
        _moment(as_of),
        None if kinds is None else frozenset(kinds),
        entity,
    )
    return await _store().search(_caller(), question, limit, cursor, _bytes(max_chars))


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def get_account_timeline(
    account_id: AccountId,
    since: InstantOrDay | None = None,
    until: InstantOrDay | None = None,
    kinds: Annotated[
        list[Literal["episode", "fact", "preference", "decision", "event", "commitment", "note"]], Field(max_length=7)
    ]
    | None = None,
    limit: Limit = 10,
    max_chars: MaxChars = DEFAULT,
    cursor: Cursor | None = None,
) -> Page[TimelineEntry]:
    """What happened at an account, newest first: episodes by their first words, and memories."""
    return await _store().timeline(
        _caller(), account_id, _instant(since), _moment(until), kinds, limit, cursor, _bytes(max_chars)
    )


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def get_related_entities(
    entity: Annotated[str, Field(min_length=1, max_length=200, description="Name, alias or id")],
    account_id: AccountId = "",
    depth: Annotated[int, Field(ge=1, le=2)] = 1,
    limit: Limit = 20,
    cursor: Cursor | None = None,
) -> Page[RelatedEntity]:
    """People, companies and things related to one, with the passages that say so."""
    return await _store().related(_caller(), account_id, entity, depth, limit, cursor, _bytes())


@tool(annotations=READ)
@declare(scoped=BY_ACCOUNT)
async def list_commitments(
    account_id: AccountId | None = None,
    status: Annotated[Wanted, Field(description="due: open, and its day has come")] = "open",
    by: Annotated[Name, Field(description="Who promised")] | None = None,
    limit: Limit = 20,
    cursor: Cursor | None = None,
) -> Page[Commitment]:
    """What was promised, the next due first. Once kept or broken: remember it again with status and supersedes."""
    return await _store().commitments(_caller(), account_id, status, by, limit, cursor, _bytes())


@tool(annotations=DESTROY)
@declare(approval="rule", scoped=BY_ACCOUNT)
async def forget(
    target_id: TargetId,
    account_id: AccountId = "",
    mode: Literal["expire", "erase"] = "expire",
    dry_run: bool = True,
    idempotency_key: IdempotencyKey | None = None,
) -> Forgotten:
    """Stop believing a memory (expire), or delete it, an episode, all of a person or an account for good (erase).

    Args:
        dry_run: only count what would go
    """
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

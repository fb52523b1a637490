"""What every server guarantees, of memory: over documents, an account of ours, and one that nobody may find out."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from flotilla_kit.testing import FULL, Change, Guarantees, Read, ServerUnderTest
from flotilla_kit.testing.rules import RULES, paging, scopes
from flotilla_memory.records import Entity, Episode, Memory, Record, Relation, Turn
from flotilla_memory.schema import accounts, memories, metadata, passages
from flotilla_memory.server import SPEC
from flotilla_memory.settings import Settings
from flotilla_memory.sql_store import SqlMemoryStore
from flotilla_memory.writing.bulk import write
from sqlalchemy import BigInteger, Connection, Integer, Table, Text, func, insert, select, text, update
from support.postgres import fresh_database

OURS, THEIRS = "cust_12345", "cust_quillfeather"
NOW = "2026-03-01T09:00:00.000+00:00"
DOCUMENTS = {
    "policies/refunds": "# Refunds\n\nWe refund.\n\n## Late\n\nA late refund is refunded too.",
    "policies/returns": "# Returns\n\nA return is a refund without the parcel.",
}
FORGETTABLE = 8_000 if FULL else 2_000  # each is forgotten once


def given(home: Path) -> dict[str, Any]:
    for name, said in DOCUMENTS.items():
        path = home / "knowledge" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said)
    return {"knowledge": home / "knowledge"}


def history(account_id: str, name: str, product: str) -> list[Record]:
    """Two calls, two commitments and a person with two employers."""
    calls = [
        Episode(
            account_id,
            "call",
            f"2026-0{month}-05T10:00:00.000+00:00",
            (Turn(name, f"We want the {product} renewed."), Turn("Bo", f"The {product} offer comes on Friday.")),
            f"{product} call {month}",
            f"call-{month}",
        )
        for month in (1, 2)
    ]
    promised = [
        Memory(
            account_id,
            "commitment",
            f"Send the {product} offer, part {n}",
            "Bo",
            due_on=f"2026-01-1{n}",
            recorded_at=NOW,
        )
        for n in (1, 2)
    ]
    works = [Relation(account_id, name, "works at", f"{product} {n}", sources=("call-1",)) for n in (1, 2)]
    return [*calls, *promised, Entity(account_id, name, "person", (f"{name} of {product}",)), *works]


async def prepare(store: SqlMemoryStore) -> None:
    await store.database.write(write, "default", history(OURS, "Maya Lindqvist", "licence"), NOW)
    await store.database.write(write, "default", history(THEIRS, "Zebulon Quillfeather", "quillwork"), NOW)
    await store.database.write(_add_notes)


def _add_notes(conn: Connection) -> None:
    """Notes whose ids samples can name, and an id for what is theirs. Past the index: no sample looks for a note."""
    counted = update(accounts).where(accounts.c.account_id == OURS).values(passages=accounts.c.passages + FORGETTABLE)
    of = {"account_key": conn.execute(counted.returning(accounts.c.account_key)).scalar_one()}
    note = {**of, "kind": "note", "text": "It may go.", "occurred_at": NOW, "terms": 0}
    keys = range(10**6, 10**6 + FORGETTABLE)
    conn.execute(insert(passages), [{**note, "passage_key": k, "passage_id": f"mem_{k - 10**6:020x}"} for k in keys])
    written = {**of, "recorded_at": NOW, "content_hash": ""}
    conn.execute(insert(memories), [{**written, "passage_key": key} for key in keys])
    theirs = update(passages).where(passages.c.text == "Send the quillwork offer, part 1")
    conn.execute(theirs.values(passage_id=THEIR_MEMORY))


THEIR_MEMORY = "mem_" + "f" * 20


async def happened(store: SqlMemoryStore) -> int:
    return await store.database.read(_happened)


def _happened(conn: Connection) -> int:
    """Memories and episodes that were written, and memories that were retired; what was erased counts against."""
    written = conn.execute(text("SELECT (SELECT count(*) FROM memories) + 100000 * (SELECT count(*) FROM episodes)"))
    retired = conn.execute(text("SELECT count(*) FROM memories WHERE retired_at IS NOT NULL"))
    return int(written.scalar_one()) + 10**9 * int(retired.scalar_one())


async def state(store: SqlMemoryStore) -> object:
    """Of each table what any change to it changes: all rows of thousands would be read before and after every call."""
    return await store.database.read(_state)


def _state(conn: Connection) -> dict[str, tuple[object, ...]]:
    def of(table: Table) -> tuple[object, ...]:
        numbers = [column for column in table.columns if isinstance(column.type, BigInteger | Integer)]
        texts = [column for column in table.columns if isinstance(column.type, Text)]
        sums = [func.sum(column) for column in numbers] + [func.sum(func.length(column)) for column in texts]
        return tuple(conn.execute(select(func.count(), *sums).select_from(table)).one())

    return {table.name: of(table) for table in metadata.sorted_tables}


def forgetting(first: int, **how: str) -> Any:
    def arguments(number: int) -> dict[str, Any]:
        assert number < FORGETTABLE // 2, "there are too few"
        return {"account_id": OURS, "target_id": f"mem_{first + number:020x}", "dry_run": False, **how}

    return arguments


OTHERS = [{"account_id": THEIRS}]

MEMORY = ServerUnderTest(
    SPEC,
    Settings,
    samples=[
        Change(
            "remember",
            lambda number: {"account_id": OURS, "text": f"Fact {number} of many.", "subject": "Maya"},
            out_of_scope=[{"account_id": THEIRS}],
        ),
        Change(
            "record_episode",
            lambda number: {
                "account_id": OURS,
                "channel": "note",
                "occurred_at": "2026-03-01T10:00:00Z",
                "turns": [{"speaker": "Bo", "text": f"Note {number} of a visit."}],
                "external_id": f"visit-{number}",
            },
            out_of_scope=[{"account_id": THEIRS}],
        ),
        Read("recall", {"account_id": OURS, "query": "licence"}, out_of_scope=OTHERS),
        Read("search_account_history", {"account_id": OURS, "query": "licence offer"}, out_of_scope=OTHERS),
        Read("get_account_timeline", {"account_id": OURS, "until": "2026-02-28"}, out_of_scope=OTHERS),
        Read("get_related_entities", {"account_id": OURS, "entity": "Maya Lindqvist"}, out_of_scope=OTHERS),
        Read("list_commitments", {"account_id": OURS}, out_of_scope=OTHERS),
        Change("forget", forgetting(0)),
        Change("forget", forgetting(FORGETTABLE // 2, mode="erase"), waits=True),
        Read("search_knowledge", {"query": "refund"}),
        Read("get_document", {"document_id": "policies/refunds"}),
    ],
    given=given,
    prepare=prepare,
    state=state,
    count=happened,
    scope={"account_id": OURS},
    canaries=["Quillfeather", "quillwork"],
    snapshot=Path(__file__).parent / "tools.json",
    bytes_per_tool=500,  # ten tools in less than 5 kB
)


@pytest.mark.prove
class TestMemory(Guarantees):
    server = MEMORY


@pytest.mark.prove
class TestMemoryOnPostgreSQL(Guarantees, rules=RULES if FULL else [*paging.RULES, *scopes.RULES]):
    """In `make test` what the databases are likeliest to differ in: order, and whose records a statement finds."""

    server = MEMORY

    @pytest.fixture(scope="class")
    @classmethod
    def database_url(cls, postgres_cluster: str) -> Generator[str]:
        with fresh_database(postgres_cluster, "memory_guarantees") as address:
            yield address

"""What was erased from a memory is in no byte of any file of its folder: 100 canaries among 100,000 memories."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_memory.records import Entity, Episode, Memory, Record, Relation, Turn
from flotilla_memory.schema import entities, episodes, passages, vectors
from flotilla_memory.server import create_server
from flotilla_memory.settings import Settings
from flotilla_memory.sql_store import SqlMemoryStore
from flotilla_memory.writing import embedding
from flotilla_memory.writing.bulk import write
from sqlalchemy import Connection, func, select
from support.answers import answer_of
from support.approving import approve_all
from support.proofs import FULL, draw

MEMORIES = 100_000 if FULL else 2_000
AT_ONCE = 1_000
ACME, GOING = "acct_acme", "acct_going"
AT = "2026-03-01T09:00:00.000+00:00"
MOST_SECONDS = 5


def canary(number: int) -> str:
    return f"xq{number:03}zvk"


CANARIES = [canary(number) for number in range(100)]


def of_an_account() -> list[Record]:
    """Canaries 0 to 39: in whatever has a text, of an account that goes as a whole."""
    name = iter(CANARIES[:40])
    said = tuple(Turn(next(name), f"We spoke of {next(name)}.") for _ in range(10))
    return [
        Episode(GOING, "call", AT, said, f"About {next(name)}", next(name), f"https://crm.example.com/{next(name)}"),
        Memory(GOING, "fact", f"They have {next(name)}.", next(name), next(name), external_id=next(name)),
        Memory(GOING, "commitment", f"We send {next(name)}.", next(name), due_on="2026-04-01"),
        Entity(GOING, next(name), next(name), (next(name), next(name), next(name))),
        *(Relation(GOING, next(name), next(name), next(name)) for _ in range(2)),
    ]


def of_an_episode() -> list[Record]:
    """Canaries 40 to 69: in an episode, and in a fact that goes with the person who said it all."""
    said = tuple(Turn(f"Zelda {canary(40)}", f"The {canary(number)} is broken.") for number in range(41, 69))
    return [Episode(ACME, "ticket", AT, said, f"Ticket of {canary(69)}", "going")]


def of_a_person() -> list[Record]:
    """Canaries 70 to 89, with the person whose name is the first of them."""
    who = canary(70)
    return [
        *(Memory(ACME, "note", f"{who} likes {canary(number)}.", who) for number in range(71, 80)),
        Entity(ACME, who, "person", (canary(80), canary(81))),
        *(Relation(ACME, who, f"owns {canary(number)}", canary(number + 1)) for number in range(82, 90, 2)),
    ]


def alone() -> list[Record]:
    return [Memory(ACME, "fact", f"A fact about {canary(number)}.") for number in range(90, 100)]


def noise(start: int) -> list[Record]:
    random = draw(f"noise {start}")
    words = [f"word{n}" for n in range(2_000)]
    return [
        Memory(
            f"acct_{start // 200 + n % 5}",
            "note",
            f"Note {start + n}: {' '.join(random.choices(words, k=12))}",
        )
        for n in range(AT_ONCE)
    ]


async def fill(store: SqlMemoryStore) -> None:
    """The canaries in the middle of everything else, so that they share pages with it."""
    starts = range(0, MEMORIES, AT_ONCE)
    for start in starts:
        if start == starts[len(starts) // 2]:
            for records in (of_an_account(), of_an_episode(), of_a_person(), alone()):
                await store.database.write(write, "default", records, AT)
        await store.database.write(write, "default", noise(start), AT)


def give_vectors(conn: Connection) -> int:
    """A vector for each passage with canaries, which are its bytes: they must go as the text does. Answers how many."""
    rows = conn.execute(
        select(passages.c.account_key, passages.c.passage_key, passages.c.text).where(passages.c.text.like("%xq%zvk%"))
    ).all()
    for account_key, passage_key, said in rows:
        embedding.keep(conn, "none", embedding.Waiting(account_key, [(passage_key, said)]), [said.encode()])
    return conn.execute(select(func.count()).select_from(vectors)).scalar_one()


def targets(conn: Connection) -> list[tuple[str, str]]:
    """Account and id of all that has canaries."""
    person = conn.execute(select(entities.c.entity_id).where(entities.c.name == canary(70))).scalar_one()
    episode = conn.execute(select(episodes.c.episode_id).where(episodes.c.external_id == "going")).scalar_one()
    facts = select(passages.c.passage_id).where(passages.c.text.like("A fact about xq%"))
    single = [(ACME, str(passage_id)) for passage_id in conn.execute(facts).scalars()]
    return [(GOING, "account"), (ACME, str(episode)), (ACME, str(person)), *single]


def files_with(folder: Path, texts: Sequence[str]) -> dict[str, list[str]]:
    """The canaries that the bytes of each file have, in whatever case."""
    contents = {path.name: path.read_bytes().lower() for path in folder.rglob("*") if path.is_file()}
    found = {name: [text for text in texts if text.encode() in content] for name, content in contents.items()}
    return {name: there for name, there in found.items() if there}


async def erase(client: Client[FastMCPTransport], settings: Settings, account: str, target: str) -> float:
    """For good, once a person agreed; the seconds that the call took which erased."""
    said = {"account_id": account, "target_id": target, "mode": "erase", "dry_run": False, "idempotency_key": target}
    asked = answer_of(await client.call_tool("forget", said, raise_on_error=False))
    assert asked["code"] == "approval_required", asked
    assert await approve_all(settings) == 1
    started = time.monotonic()
    done = await client.call_tool("forget", said)
    assert done.structured_content is not None and not [text for text in CANARIES if text in str(done)]
    return time.monotonic() - started


@pytest.mark.prove
async def test_no_byte_of_what_was_erased_is_left(tmp_path: Path) -> None:
    settings = Settings.load({"home": tmp_path / "home"})
    store = SqlMemoryStore(settings)
    async with Client(create_server(settings, store)) as client:
        await fill(store)
        assert await store.database.write(give_vectors) > 50
        for text in CANARIES[::7]:  # a search and a repeated statement leave traces of their own
            await client.call_tool("recall", {"query": f"what of {text}"})
        again = {"account_id": ACME, "text": f"A fact about {canary(99)}.", "idempotency_key": f"key {99}"}
        assert answer_of(await client.call_tool("remember", again))["outcome"] == "duplicate"
        there = {text for texts in files_with(settings.home, CANARIES).values() for text in texts}
        assert there == set(CANARIES), "or it would prove nothing"
        seconds = [await erase(client, settings, *target) for target in await store.database.read(targets)]
        # While the server runs: nobody has to stop it first. The copy is of the very moment.
        shutil.copytree(settings.home, tmp_path / "copy")
        assert files_with(tmp_path / "copy", CANARIES) == {}
        for text in CANARIES:
            found = answer_of(await client.call_tool("recall", {"query": text}))
            assert text not in str(found)
    assert files_with(settings.home, CANARIES) == {}
    print(f"{len(CANARIES)} canaries of {MEMORIES} memories in {len(seconds)} calls: {sum(seconds):.2f} s")
    assert not FULL or sum(seconds) < MOST_SECONDS


@pytest.mark.prove
async def test_a_plain_delete_leaves_them_in_the_same_harness(tmp_path: Path) -> None:
    """The control: without overwriting and without emptying the log the same scan finds them."""
    settings = Settings.load({"home": tmp_path})
    store = SqlMemoryStore(settings)
    await store.open()
    try:
        await store.database.write(write, "default", alone(), AT)

        def delete(conn: Connection) -> None:
            conn.exec_driver_sql("PRAGMA secure_delete=OFF")
            for table in ("postings", "memories", "passages"):
                conn.exec_driver_sql(f"DELETE FROM {table}")

        await store.database.write(delete)
        assert files_with(tmp_path, CANARIES) != {}
    finally:
        await store.close()

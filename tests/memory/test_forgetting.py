"""Forgetting through its tool, once on SQLite and once on PostgreSQL."""

from datetime import UTC, datetime

import pytest
from flotilla_kit.storage import Database
from flotilla_kit.storage.addresses import store_url
from flotilla_memory.schema import metadata
from sqlalchemy import Connection, select
from support.approving import approve_all
from support.memory_client import ACME, OTHER, Memory


async def test_a_dry_run_counts_and_changes_nothing(memory: Memory) -> None:
    episode = (await memory.record())["episode_id"]
    await memory.fact("Omar pays", subject="Omar", sources=[f"{episode}#2"])
    before = await memory.timeline()
    counted = await memory.call("forget", account_id=ACME, target_id=episode, mode="erase")
    assert (counted["dry_run"], counted["episodes"], counted["turns"], counted["citations"]) == (True, 1, 2, 1)
    assert await memory.timeline() == before and "forgotten_at" not in counted


async def test_an_expired_memory_is_no_longer_believed_and_still_known_for_then(memory: Memory) -> None:
    fact = await memory.fact("Acme has 12 seats")
    before = datetime.now(UTC).isoformat()
    done = await memory.forget(fact)
    assert (done["mode"], done["memories"], done["dry_run"]) == ("expire", 1, False)
    assert await memory.texts("how many seats") == []
    assert await memory.texts("how many seats", as_of=before) == ["Acme has 12 seats"]
    await memory.fact("Acme has 12 seats")  # and can be said again


async def test_an_episode_cannot_expire(memory: Memory) -> None:
    episode = (await memory.record())["episode_id"]
    assert (await memory.forget(episode))["code"] == "invalid_arguments"


async def test_erasing_waits_for_a_person_who_reads_counts_and_no_text(memory: Memory) -> None:
    fact = await memory.fact("Acme has 12 seats", subject="Acme")
    asked = await memory.change("forget", target_id=fact, mode="erase", dry_run=False)
    assert asked["code"] == "approval_required"
    facts = asked["details"]["facts"]
    assert facts["account_id"] == ACME and facts["target"] == fact and facts["memories"] == 1
    assert "seats" not in str(asked) and await memory.texts("how many seats") == ["Acme has 12 seats"]


@pytest.mark.parametrize("what", ["memory", "episode", "entity", "account"])
async def test_what_is_erased_is_nowhere_any_more(memory: Memory, what: str) -> None:
    await memory.fact("The quokka of Dana is ill", subject="Dana", account_id=OTHER)
    before = await tables(memory)
    episode = (await memory.record([{"speaker": "Zelda", "text": "My quokka is ill."}]))["episode_id"]
    quokka = await memory.fact(
        "Zelda has a quokka",
        subject="Zelda",
        sources=[f"{episode}#1"],
        relations=[{"subject": "Zelda", "predicate": "has", "object": "quokka"}],
    )
    zelda = next(
        one["entity_id"]
        for one in (await memory.call("get_related_entities", account_id=ACME, entity="quokka"))["items"]
    )
    chosen = {"memory": [quokka, episode], "episode": [episode, quokka], "entity": [zelda], "account": ["account"]}
    for target in chosen[what]:
        done = await memory.forget(target, "erase")
        assert "code" not in done, done
    after = await tables(memory)
    left = {name: rows for name, rows in after.items() if rows != before.get(name) and name != "accounts"}
    assert not left, left
    assert await memory.texts("quokka") == [] and await memory.texts("quokka", account_id=OTHER) != []


async def tables(memory: Memory) -> dict[str, list[str]]:
    """Every row of the history's own tables."""

    def read(conn: Connection) -> dict[str, list[str]]:
        return {t.name: sorted(map(repr, conn.execute(select(t)).all())) for t in metadata.sorted_tables}

    database = await Database.open(store_url(memory.settings), [])
    try:
        return await database.read(read)
    finally:
        await database.close()


async def test_erasing_somebody_takes_what_they_said_under_any_of_their_names(memory: Memory) -> None:
    await memory.record([{"speaker": "DANA", "text": "I like quokkas."}, {"speaker": "Omar", "text": "So do I."}])
    await memory.fact("Dana likes quokkas", subject="dana")
    found = await memory.call("forget", account_id=ACME, target_id=await entity(memory, "Dana"), mode="erase")
    assert (found["turns"], found["memories"]) == (1, 1)
    await memory.forget(await entity(memory, "Dana"), "erase")
    assert await memory.texts("who likes quokkas") == []
    assert [entry["turns"] for entry in await memory.timeline() if entry["kind"] == "episode"] == [1]


async def entity(memory: Memory, name: str) -> str:
    """The id of an entity, by a relation that is made for it."""
    await memory.remember(
        f"{name} is here", relations=[{"subject": "desk", "predicate": f"knows {name}", "object": name}]
    )
    related = await memory.call("get_related_entities", account_id=ACME, entity="desk")
    return str(next(one["entity_id"] for one in related["items"] if one["relation"] == f"knows {name}"))


async def test_a_repeat_of_an_erasure_answers_the_same_and_makes_nothing_anew(memory: Memory) -> None:
    await memory.fact("Acme has 12 seats")
    said = {"target_id": "account", "mode": "erase", "dry_run": False, "idempotency_key": "gone"}
    assert (await memory.change("forget", **said))["code"] == "approval_required"
    await approve_all(memory.settings)
    done = await memory.change("forget", **said)
    before = await tables(memory)
    assert done["memories"] == 1 and before["accounts"] == []
    assert await memory.change("forget", **said) == done and await tables(memory) == before


async def test_somebody_stays_known_while_something_is_by_them_under_another_name(memory: Memory) -> None:
    episode = (await memory.record([{"speaker": "DANA", "text": "I like quokkas."}]))["episode_id"]
    fact = await memory.fact("Dana likes quokkas", subject="dana")
    before = await tables(memory)
    await memory.forget(fact, "erase")
    assert (await tables(memory))["entities"] == before["entities"]
    await memory.forget(episode, "erase")
    assert (await tables(memory))["entities"] == []

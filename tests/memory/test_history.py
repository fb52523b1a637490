"""The history through its tools, once on SQLite and once on PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastmcp import Client
from flotilla_kit.paging import answer_bytes
from flotilla_kit.storage import Database
from flotilla_kit.storage.addresses import store_url
from flotilla_memory.records import Episode, Turn
from flotilla_memory.server import create_server
from flotilla_memory.writing.bulk import write
from support.answers import answer_of
from support.memory_client import ACME, CALL, OTHER, Memory


def from_now(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days)).date().isoformat()


async def test_an_empty_memory_answers_empty_pages(memory: Memory) -> None:
    empty: dict[str, object] = {"items": [], "next_cursor": None}
    assert await memory.call("recall", query="anything") == empty
    assert await memory.call("search_account_history", account_id=ACME, query="anything") == empty
    assert await memory.call("get_account_timeline", account_id=ACME) == empty
    assert await memory.call("get_related_entities", entity="Dana") == empty
    assert await memory.call("list_commitments") == empty


async def test_a_memory_is_found_with_its_id_time_and_why(memory: Memory) -> None:
    fact = await memory.fact("Acme renews in June", subject="Acme", valid_from="2026-01-01", valid_to="2030-01-01")
    (hit,) = await memory.hits("when does Acme renew")
    assert (hit["passage_id"], hit["kind"], hit["by"], hit["account_id"]) == (fact, "fact", "Acme", ACME)
    assert hit["valid_from"].startswith("2026-01-01T00:00") and hit["valid_to"].startswith("2030-01-01T00:00")
    assert hit["occurred_at"].startswith("2026-01-01") and "renew" in hit["why"] and 0 < hit["score"] <= 1


async def test_a_turn_is_found_with_its_speaker_and_its_episode(memory: Memory) -> None:
    episode = await memory.record(title="Weekly call")
    assert (episode.get("outcome"), episode.get("turns")) == ("created", 2), episode
    hit = (await memory.hits("second warehouse invoice"))[0]
    assert (hit["passage_id"], hit["by"]) == (f"{episode['episode_id']}#1", "Dana Whitfield")
    assert hit["source"] == {"episode_id": episode["episode_id"], "channel": "call", "title": "Weekly call"}


async def test_the_same_statement_is_one_memory_however_it_is_spelled(memory: Memory) -> None:
    first = await memory.fact("Dana prefers calls in the morning", subject="Dana")
    for text in ("dana  prefers calls\nin the MORNING", "Dána prefers calls in the morning"):
        assert await memory.remember(text, subject="dana") == {"outcome": "duplicate", "memory_id": first}
    assert len(await memory.timeline()) == 1
    assert (await memory.remember("Dana prefers calls in the morning", account_id=OTHER))["outcome"] == "created"


async def test_what_contradicts_a_belief_is_not_written_until_it_says_what_it_supersedes(memory: Memory) -> None:
    price = {"subject": "Acme", "attribute": "price"}
    old = await memory.fact("Acme pays 40 a seat", **price)
    refused = await memory.remember("Acme pays 50 a seat", **price)
    assert (refused["outcome"], refused["conflicts_with"]) == (
        "conflict",
        [{"memory_id": old, "text": "Acme pays 40 a seat"}],
    )
    assert "supersedes" in refused["suggestion"] and await memory.texts("what does Acme pay") == ["Acme pays 40 a seat"]
    before = datetime.now(UTC).isoformat()
    new = await memory.remember("Acme pays 50 a seat", **price, supersedes=[old])
    assert (new["outcome"], new["superseded"]) == ("created", [old])
    assert await memory.texts("what does Acme pay") == ["Acme pays 50 a seat"]
    assert await memory.texts("what does Acme pay", as_of=before) == ["Acme pays 40 a seat"]
    assert [entry["id"] for entry in await memory.timeline()] == [new["memory_id"]]


async def test_facts_of_different_times_do_not_contradict_each_other(memory: Memory) -> None:
    price = {"subject": "Acme", "attribute": "price"}
    await memory.fact("Acme pays 40 a seat", **price, valid_from="2026-01-01", valid_to="2026-07-01")
    await memory.fact("Acme pays 50 a seat", **price, valid_from="2026-07-01")
    conflict = await memory.remember("Acme pays 45 a seat", **price, valid_from="2026-06-30")
    assert conflict["outcome"] == "conflict" and len(conflict["conflicts_with"]) == 2


async def test_a_memory_cites_what_it_rests_on(memory: Memory) -> None:
    episode = (await memory.record())["episode_id"]
    await memory.fact("Omar pays the warehouse invoice this week", sources=[f"{episode}#2", f"{episode}#1"])
    fact = next(hit for hit in await memory.hits("Omar pays warehouse invoice") if hit["kind"] == "fact")
    assert fact["sources"] == [f"{episode}#1", f"{episode}#2"]


@pytest.mark.parametrize("argument", ["sources", "supersedes"])
async def test_what_is_not_there_or_of_another_account_cannot_be_named(memory: Memory, argument: str) -> None:
    theirs = await memory.fact("Something of theirs", account_id=OTHER)
    for named in (theirs, "mem_" + "0" * 20):
        refused = await memory.remember("Something of ours", **{argument: [named]})
        assert refused["code"] == "not_found"
    assert await memory.timeline() == []


async def test_an_episode_is_recorded_once_and_can_go_on(memory: Memory) -> None:
    first = await memory.record(external_id="call-7")
    assert (await memory.record(external_id="call-7"))["outcome"] == "duplicate"
    more = [*CALL, {"speaker": "Dana Whitfield", "text": "Lovely. Then the renewal of the licence."}]
    extended = await memory.record(more, external_id="call-7")
    assert extended == {"outcome": "extended", "episode_id": first["episode_id"], "turns": 3}
    assert (await memory.hits("renewal of the licence"))[0]["passage_id"] == f"{first['episode_id']}#3"
    changed = await memory.record([{"speaker": "Omar", "text": "Never said."}, *CALL], external_id="call-7")
    assert changed["code"] == "episode_changed"
    assert [entry["turns"] for entry in await memory.timeline()] == [3]


async def test_accounts_are_apart_and_recall_looks_into_all_of_them(memory: Memory) -> None:
    for account in (ACME, OTHER, ""):
        await memory.fact(f"The printer of {account or 'mine'} is broken", account_id=account)
    assert await memory.texts("printer") == ["The printer of acct_acme is broken"]
    everywhere = await memory.call("recall", query="broken printer")
    assert sorted(hit.get("account_id", "") for hit in everywhere["items"]) == ["", ACME, OTHER]
    mine = await memory.call("recall", query="broken printer", account_id="")
    assert [hit["text"] for hit in mine["items"]] == ["The printer of mine is broken"]


async def test_a_search_is_narrowed_by_time_kind_and_entity(memory: Memory) -> None:
    for month in (1, 2, 3):
        await memory.record(
            [{"speaker": "Dana Whitfield", "text": f"Outage {month} of the portal"}],
            occurred_at=f"2026-0{month}-10T23:30:00Z",
        )
    await memory.fact("An outage of the portal costs a credit", kind="decision", subject="Omar")
    assert await memory.texts("portal outage", since="2026-02-01", until="2026-02-10") == ["Outage 2 of the portal"]
    assert await memory.texts("portal outage", kinds=["decision"]) == ["An outage of the portal costs a credit"]
    assert len(await memory.texts("portal outage", entity="Dana Whitfield")) == 3
    assert await memory.texts("portal outage", entity="Omar") == ["An outage of the portal costs a credit"]


async def test_what_is_unknown_is_answered_with_nothing(memory: Memory) -> None:
    await memory.record()
    assert await memory.hits("submarine torpedo regulations") == []


async def test_the_timeline_has_episodes_and_what_is_believed_newest_first_page_by_page(memory: Memory) -> None:
    for day in (3, 1, 2):
        await memory.record([{"text": f"Note {day}"}], channel="note", occurred_at=f"2026-02-0{day}")
    await memory.fact("A decision of the 4th", kind="decision", valid_from="2026-02-04")
    gone = await memory.fact("A mistake of the 5th", valid_from="2026-02-05")
    await memory.forget(gone)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await memory.call("get_account_timeline", account_id=ACME, limit=2, **cursor)
        seen += [entry["text"] for entry in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == ["A decision of the 4th", "Note 3", "Note 2", "Note 1"]
    within = await memory.timeline(since="2026-02-02", until="2026-02-03")
    assert [entry["text"] for entry in within] == ["Note 3", "Note 2"]


async def test_relations_lead_from_one_entity_to_the_next_with_their_evidence(memory: Memory) -> None:
    hired = await memory.fact(
        "Dana now works at Acme, which belongs to Globex",
        relations=[
            {"subject": "Dana", "predicate": "works at", "object": "Acme"},
            {"subject": "Acme", "predicate": "belongs to", "object": "Globex"},
        ],
    )
    near = (await memory.call("get_related_entities", account_id=ACME, entity="dana"))["items"]
    assert [(one["name"], one["relation"], one["depth"], one["evidence"]) for one in near] == [
        ("Acme", "works at", 1, [hired])
    ]
    far = (await memory.call("get_related_entities", account_id=ACME, entity="Dana", depth=2))["items"]
    assert [(one["name"], one["via"], one["depth"]) for one in far] == [("Acme", "Dana", 1), ("Globex", "Acme", 2)]
    back = (await memory.call("get_related_entities", account_id=ACME, entity=far[0]["entity_id"]))["items"]
    assert {one["name"] for one in back} == {"Dana", "Globex"}
    assert (await memory.call("get_related_entities", account_id=OTHER, entity="Dana"))["items"] == []


async def test_commitments_are_open_due_kept_or_broken(memory: Memory) -> None:
    said = {"kind": "commitment", "subject": "Omar"}
    late = await memory.fact("Omar sends the offer", due_on=from_now(-2), **said)
    await memory.fact("Omar pays the invoice", due_on=from_now(20), **said)
    await memory.fact("Dana visits the warehouse", kind="commitment", subject="Dana", due_on=from_now(0))

    async def listed(**arguments: Any) -> list[tuple[str, bool]]:
        page = await memory.call("list_commitments", account_id=ACME, **arguments)
        return [(one["text"], one.get("overdue", False)) for one in page["items"]]

    offer, visit = ("Omar sends the offer", True), ("Dana visits the warehouse", False)
    assert await listed() == [offer, visit, ("Omar pays the invoice", False)]
    assert await listed(status="due") == [offer, visit]
    assert await listed(by="omar", status="due") == [offer]
    await memory.fact("Omar sends the offer", status="kept", supersedes=[late], **said)
    assert await listed(status="due") == [visit] and await listed(status="kept") == [("Omar sends the offer", False)]
    assert await listed(status="broken") == []


async def test_a_promise_said_again_is_known_and_one_that_was_kept_says_which_it_was(memory: Memory) -> None:
    said = {"kind": "commitment", "subject": "Omar"}
    promised = await memory.fact("Omar sends the offer", **said)
    assert await memory.remember("Omar sends the offer", status="open", **said) == {
        "outcome": "duplicate",
        "memory_id": promised,
    }
    kept = await memory.remember("Omar sends the offer", status="kept", **said)
    assert kept["outcome"] == "conflict" and kept["conflicts_with"][0]["memory_id"] == promised


@pytest.mark.parametrize("tool", ["recall", "search_account_history", "get_account_timeline", "list_commitments"])
async def test_a_default_answer_is_at_most_2_kB_and_a_long_text_is_cut_around_the_words(
    memory: Memory, tool: str
) -> None:
    filler = " ".join(f"word{n}" for n in range(400))
    for number in range(12):
        await memory.fact(f"{filler} the invoice {number} of the warehouse {filler}"[:3900], kind="commitment")
    searched = {"query": "warehouse invoice"} if tool in ("recall", "search_account_history") else {}
    page = await memory.call(tool, account_id=ACME, **searched)
    assert page["items"] and page["next_cursor"] and answer_bytes(page) <= 2_000
    assert all(item["truncated"] for item in page["items"])
    if searched:
        assert all("invoice" in hit["text"] for hit in page["items"])
        more = await memory.call(tool, account_id=ACME, **searched, max_chars=50_000, limit=12)
        assert 8_000 < answer_bytes(more) <= 50_000


async def test_whatever_an_import_held_an_answer_keeps_its_size(memory: Memory) -> None:
    """Titles, addresses and names as long as they may be, in characters that JSON writes with six bytes."""
    long = "\x01" * 3_000
    said = [Turn(long, f"The invoice {number} of the warehouse") for number in range(3)]
    at = "2026-02-03T10:00:00.000+00:00"
    held = [Episode(ACME, "mail", at, (turn,), long, turn.text, long) for turn in said]
    database = await Database.open(store_url(memory.settings), [])
    await database.write(write, "default", held, at)
    await database.close()
    for tool, said in (("recall", {"query": "warehouse invoice"}), ("get_account_timeline", {})):
        page = await memory.call(tool, account_id=ACME, **said)
        assert page["items"] and answer_bytes(page) <= 2_000, page


async def test_read_only_serves_what_is_there_and_takes_nothing(memory: Memory) -> None:
    await memory.fact("Acme has 12 seats")
    settings = memory.settings.model_copy(update={"read_only": True})
    async with Client(create_server(settings)) as client:
        tools = {tool.name for tool in await client.list_tools()}
        assert not tools & {"remember", "record_episode", "forget"} and "recall" in tools
        found = answer_of(await client.call_tool("recall", {"query": "how many seats"}))
        assert [hit["text"] for hit in found["items"]] == ["Acme has 12 seats"]

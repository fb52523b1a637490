"""Files of other memories become records: every format by its documentation, and what nobody should send."""

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from flotilla_kit.imports import Format
from flotilla_memory.formats.cogx import COGX
from flotilla_memory.formats.importing import FORMATS
from flotilla_memory.formats.locomo import LOCOMO
from flotilla_memory.formats.mail import MAIL
from flotilla_memory.formats.mem0 import MEM0
from flotilla_memory.formats.notes import NOTES
from flotilla_memory.formats.server_memory import SERVER_MEMORY
from flotilla_memory.records import Entity, Episode, Memory, Relation, Turn
from pytest import mark
from support.memory_files import ARCHIVE, HEADERS, archive, episode, jsonl, mail, problems, records

# mem0

MEM0_ITEM = {
    "id": "f4cbdb08",
    "memory": "Alex prefers vegetarian restaurants",
    "hash": "9b1c",
    "metadata": {"type": "preference", "source": "slack"},
    "categories": ["food"],
    "user_id": "alex",
    "agent_id": "planner",
    "expiration_date": "2026-03-31",
    "created_at": "2026-01-05T15:30:00-08:00",
    "updated_at": "2026-01-06T00:00:00Z",
}


def test_a_memory_of_mem0_belongs_to_its_user_and_is_valid_through_its_last_day() -> None:
    (memory,) = records(MEM0, json.dumps({"count": 1, "next": None, "results": [MEM0_ITEM]}))
    assert memory == Memory(
        "alex",
        "preference",
        "Alex prefers vegetarian restaurants\n(categories: food; agent_id: planner; source: slack)",
        occurred_at="2026-01-05T23:30:00.000+00:00",
        recorded_at="2026-01-05T23:30:00.000+00:00",
        valid_to="2026-04-01T00:00:00.000+00:00",
        external_id="mem0:f4cbdb08",
    )


def test_where_the_account_is_given_the_user_is_whom_the_memory_is_about() -> None:
    (memory,) = records(MEM0, json.dumps([MEM0_ITEM]), account="cust_1")
    assert isinstance(memory, Memory) and (memory.account_id, memory.subject) == ("cust_1", "alex")


def test_a_memory_that_another_replaced_is_no_longer_believed() -> None:
    (memory,) = records(MEM0, json.dumps([{**MEM0_ITEM, "replaced_by": "x"}]))
    assert isinstance(memory, Memory) and memory.retired_at == "2026-01-06T00:00:00.000+00:00"


def test_every_wrong_memory_is_named_by_its_line() -> None:
    items = [MEM0_ITEM, {"id": "2"}, {**MEM0_ITEM, "expiration_date": "soon"}, {**MEM0_ITEM, "created_at": True}, 7]
    said = problems(MEM0, json.dumps(items, indent=1))
    assert [line.partition(": ")[2] for line in said] == [
        "it has no memory",
        "expiration_date: 'soon' is not a time",
        "created_at: 'True' is not a time",
        "this is no object",
    ]
    assert said[0].startswith("line 19: ")


# server-memory

GRAPH = jsonl(
    {"type": "entity", "name": "Dana Reyes", "entityType": "person", "observations": ["Leads finance", "Likes tea"]},
    {"type": "entity", "name": "Acme", "entityType": "company", "observations": []},
    {"type": "relation", "from": "Dana Reyes", "to": "Acme", "relationType": "works_at"},
)


def test_observations_are_facts_about_their_entity() -> None:
    assert records(SERVER_MEMORY, GRAPH, account="cust_1") == [
        Entity("cust_1", "Dana Reyes", "person"),
        Memory("cust_1", "fact", "Leads finance", subject="Dana Reyes"),
        Memory("cust_1", "fact", "Likes tea", subject="Dana Reyes"),
        Entity("cust_1", "Acme", "company"),
        Relation("cust_1", "Dana Reyes", "works at", "Acme"),
    ]


def test_a_line_that_is_no_json_does_not_hide_the_next() -> None:
    text = GRAPH + "{nonsense\n" + jsonl({"type": "entity"}, {"type": "thing"}) + "[]\n" + "[" * 100_000 + "\n"
    assert problems(SERVER_MEMORY, text) == [
        "line 4: this is not JSON",
        "line 5: it has no name",
        "line 6: its type is neither entity nor relation",
        "line 7: this is no object",
        "line 8: this is nested too deeply",
    ]


# LoCoMo

SAMPLE: dict[str, Any] = {
    "qa": [{"question": "?", "answer": 2022, "evidence": ["D1:1"], "category": 2}],
    "conversation": {
        "speaker_a": "Ann",
        "speaker_b": "Bob",
        "session_2_date_time": "12:05 am on 25 May, 2023",
        "session_2": [{"speaker": "Bob", "dia_id": "D2:1", "text": "Bye."}],
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ann", "dia_id": "D1:1", "text": "Look!", "blip_caption": "a photo of a dog", "query": "dog"},
            {"speaker": "Bob", "dia_id": "D1:2", "text": "Nice."},
        ],
        "session_3_date_time": "1:00 pm on 1 June, 2023",
    },
    "event_summary": {},
    "sample_id": "conv-26",
}


def test_a_session_of_locomo_is_an_episode_and_captions_are_said() -> None:
    first, second = records(LOCOMO, json.dumps([SAMPLE]))
    assert first == Episode(
        "conv-26",
        "chat",
        "2023-05-08T13:56:00.000+00:00",
        (Turn("Ann", "Look!\n[picture: a photo of a dog]"), Turn("Bob", "Nice.")),
        external_id="conv-26/D1",
    )
    assert isinstance(second, Episode) and second.occurred_at == "2023-05-25T00:05:00.000+00:00"


def test_our_own_samples_have_accounts_channels_and_iso_times() -> None:
    turns = [{"speaker": "Ann", "dia_id": "D1:1", "text": "Hello"}]
    ours = {
        "sample_id": "s1",
        "account_id": "cust_1",
        "conversation": {"session_1_date_time": "2026-01-05T10:00Z", "session_1_channel": "email", "session_1": turns},
    }
    found = episode(LOCOMO, json.dumps([ours]))
    assert (found.account_id, found.channel, found.occurred_at) == ("cust_1", "email", "2026-01-05T10:00:00.000+00:00")
    assert episode(LOCOMO, json.dumps([ours]), account="cust_2").account_id == "cust_2"


def test_samples_may_fill_one_line_of_any_length(tmp_path: Path) -> None:
    (tmp_path / "many.json").write_text(json.dumps([{**SAMPLE, "sample_id": f"s{n}"} for n in range(4000)]))
    assert (tmp_path / "many.json").stat().st_size > 2_000_000
    assert len(records(LOCOMO, tmp_path / "many.json")) == 8000


# All of them


@mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_a_line_of_a_hundred_megabytes_is_refused_in_bounded_memory(tmp_path: Path, format_: Format[Any, Any]) -> None:
    path = tmp_path / {"email": "a.eml", "cogx": "memories.jsonl", "markdown": "a.md"}.get(format_.name, "a.json")
    beginning = b"" if format_ in (MAIL, NOTES) else b'[{"memory": "' if format_ in (MEM0, LOCOMO) else b'{"content": "'
    with path.open("wb") as file:
        file.write(beginning)
        for _ in range(100):
            file.write(b"x" * 1024 * 1024)
    if format_ is COGX:
        (tmp_path / "manifest.json").write_text(ARCHIVE["manifest.json"])
        path = tmp_path
    tracemalloc.start()
    found = problems(format_, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 1 and "more than" in found[0] and peak < 200_000_000


def test_text_that_no_database_stores_is_made_one() -> None:
    (memory,) = records(MEM0, '[{"memory": "a\\ud800b\\u0000c"}]')
    assert isinstance(memory, Memory) and memory.text == "a\ufffdb\ufffdc"


@pytest.fixture
def samples(tmp_path: Path) -> dict[str, Path]:
    """A file or folder of each kind."""
    files = {"mem0": json.dumps([MEM0_ITEM]), "locomo": json.dumps([SAMPLE], indent=2), "server-memory": GRAPH}
    found = {"cogx": archive(tmp_path / "cogx"), "email": mail(tmp_path, f"{HEADERS}\nOne\n")}
    for kind, content in files.items():
        found[kind] = tmp_path / f"{kind}.json"
        found[kind].write_text(content)
    found["markdown"] = tmp_path / "notes"
    found["markdown"].mkdir()
    (found["markdown"] / "a.md").write_text("Text.")
    return found


def test_each_kind_is_recognised_and_no_other(samples: dict[str, Path]) -> None:
    assert set(samples) == {format_.name for format_ in FORMATS}
    for kind, path in samples.items():
        assert [format_.name for format_ in FORMATS if format_.recognises(path)] == [kind]


def test_a_file_that_is_nothing_is_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(os.urandom(1000))
    for path in (tmp_path / "x", tmp_path / "none"):
        assert not [format_.name for format_ in FORMATS if format_.recognises(path)]

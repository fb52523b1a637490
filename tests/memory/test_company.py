"""The sample company's history, what is remembered of it, and the questions about it: consistent and self-contained."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import MISSING, fields
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from flotilla_memory.records import CommitmentStatus, Entity, Memory, MemoryKind, Relation

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "servers" / "memory" / "flotilla_memory" / "demo"
PAYMENTS = ROOT / "configs" / "demo" / "payments.csv"
QUESTIONS = ROOT / "benchmarks" / "retrieval" / "company_questions.json"
FIRST, LAST = datetime(2024, 10, 1), datetime(2026, 4, 1)
KINDS = {"single-hop", "multi-hop", "temporal", "open-domain", "not-in-memory"}
CHANNELS = {"call", "email", "note", "ticket"}
MONTHS = [date(2000, month, 1).strftime("%B") for month in range(1, 13)]
DAY = re.compile(rf"\b(\d{{1,2}}) ({'|'.join(MONTHS)}) (\d{{4}})\b")
# Words of an answer that its evidence need not have: they phrase what the evidence shows.
PHRASING = """
    about after against already also although and any are because been before both but came can could does done
    early for from had has have her him his how into its late least less like more much needs not now off one
    only out over possibly probably she since some still than that the their them then there they this too two
    was were what when where which while who why will with without would yes
"""

Json = dict[str, Any]


class Session:
    """One session of a sample, as LoCoMo's keys spread it."""

    def __init__(self, conversation: Json, number: int) -> None:
        self.number = number
        self.at = datetime.strptime(conversation[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y")
        self.channel: str = conversation[f"session_{number}_channel"]
        self.turns: list[dict[str, str]] = conversation[f"session_{number}"]


@cache
def samples() -> list[Json]:
    return json.loads((DEMO / "company.json").read_text())


def sessions(sample: Json) -> Iterator[Session]:
    conversation = sample["conversation"]
    number = 1
    while f"session_{number}" in conversation:
        yield Session(conversation, number)
        number += 1


@cache
def turns() -> dict[tuple[str, str], tuple[Session, dict[str, str]]]:
    """Every turn with its session, by account and id."""
    return {
        (sample["account_id"], turn["dia_id"]): (session, turn)
        for sample in samples()
        for session in sessions(sample)
        for turn in session.turns
    }


@cache
def questions() -> list[Json]:
    return json.loads(QUESTIONS.read_text())


@cache
def remembered() -> list[Json]:
    return [json.loads(line) for line in (DEMO / "memories.jsonl").read_text().splitlines()]


@cache
def payments() -> list[dict[str, str]]:
    with PAYMENTS.open(newline="") as file:
        return list(csv.DictReader(file))


def evidence(question: Json) -> list[tuple[Session, dict[str, str]]]:
    return [turns()[question["account_id"], turn_id] for turn_id in question["evidence"]]


def words(text: str) -> set[str]:
    """Words of three letters or more, cut to what inflections of one share."""
    return {word[:4] for word in re.findall(r"[^\W\d_]{3,}", text.lower()) if word not in PHRASING.split()}


def without_near_dates(answer: str, found: list[tuple[Session, dict[str, str]]]) -> str:
    """An answer without its days and years that follow from when its evidence was said: "yesterday", "next March"."""
    for day in DAY.finditer(answer):
        at = datetime.strptime(day[0], "%d %B %Y")
        if any(abs((at - session.at).days) <= 35 for session, _ in found):
            answer = answer.replace(day[0], "")
    for year in re.findall(r"\b20\d\d\b", answer):
        if any(0 <= int(year) - session.at.year <= 1 for session, _ in found):
            answer = answer.replace(year, "")
    return answer


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:[.,:]\d+)*", text))


def test_the_history_is_long_enough_and_small_enough() -> None:
    count = [len(list(sessions(sample))) for sample in samples()]
    assert 8 <= len(count) <= 12 and sum(count) >= 150
    assert 900 <= len(turns()) <= 1500
    assert sum(file.stat().st_size for file in DEMO.iterdir() if file.is_file()) < 400_000


def test_each_sample_is_in_locomos_format_with_its_sessions_in_order() -> None:
    for sample in samples():
        assert set(sample) == {"sample_id", "account_id", "conversation"}
        found = list(sessions(sample))
        assert len(sample["conversation"]) == 2 + 3 * len(found), "keys of a session that is missing"
        assert all(earlier.at < later.at for earlier, later in pairwise(found))
        assert all(FIRST <= session.at < LAST and session.channel in CHANNELS for session in found)
        for session in found:
            assert [turn["dia_id"] for turn in session.turns] == [
                f"D{session.number}:{position}" for position in range(1, len(session.turns) + 1)
            ]
            assert all(set(turn) == {"speaker", "dia_id", "text"} and all(turn.values()) for turn in session.turns)
        speakers = {turn["speaker"] for session in found for turn in session.turns}
        assert {sample["conversation"]["speaker_a"], sample["conversation"]["speaker_b"]} < speakers


def test_no_turn_is_said_twice() -> None:
    said = Counter(turn["text"] for _, turn in turns().values())
    assert [text for text, times in said.items() if times > 1] == []


def test_customers_are_those_of_the_billing_sample_and_speak_for_themselves() -> None:
    names = {row["Customer ID"]: row["Customer Description"] for row in payments() if row["Customer Description"]}
    for sample in samples():
        speakers = {turn["speaker"] for session in sessions(sample) for turn in session.turns}
        assert names[sample["account_id"]] in speakers


def test_cards_that_are_named_are_the_customers_own() -> None:
    cards = {(row["Customer ID"], row["Card Last4"]) for row in payments()}
    named = [
        (account_id, card)
        for (account_id, _), (_, turn) in turns().items()
        for card in re.findall(r"(?:ending|ends|ends with|with) (\d{4})\b", turn["text"])
    ]
    assert len(named) >= 5 and set(named) <= cards


def test_no_address_leads_to_anybody() -> None:
    texts = [turn["text"] for _, turn in turns().values()] + [json.dumps(record) for record in remembered()]
    for text in [*texts, *(json.dumps(question) for question in questions())]:
        assert "http" not in text and "www." not in text
        for domain in re.findall(r"\w@([\w.-]+)", text):
            assert re.fullmatch(r"(.+\.)?example(\.com|\.org|\.net)?", domain), text


def test_there_are_questions_of_every_kind() -> None:
    kinds = Counter(question["kind"] for question in questions())
    assert set(kinds) == KINDS and min(kinds.values()) >= 25 and kinds.total() >= 200
    assert len({(question["account_id"], question["question"]) for question in questions()}) == kinds.total()


def test_every_question_names_the_turns_that_answer_it() -> None:
    for question in questions():
        assert set(question) == {"account_id", "question", "kind", "answer", "evidence"}
        found = evidence(question)
        assert len(set(question["evidence"])) == len(found) <= 4
        if question["kind"] == "not-in-memory":
            assert not found and question["answer"] == "Not mentioned", question
        else:
            assert found, question
        if question["kind"] == "multi-hop":
            assert len({session.number for session, _ in found}) >= 2, question


@pytest.mark.parametrize("kind", sorted(KINDS - {"not-in-memory"}))
def test_answers_rest_on_what_their_evidence_says(kind: str) -> None:
    share = {"single-hop": 1 / 2, "multi-hop": 1 / 2, "temporal": 1 / 4, "open-domain": 1 / 4}[kind]
    for question in (question for question in questions() if question["kind"] == kind):
        found = evidence(question)
        days = [f"{session.at.day} {session.at:%B %Y}" for session, _ in found]
        shown = " ".join([*days, *(f"{turn['speaker']} {turn['text']}" for _, turn in found)])
        said = without_near_dates(question["answer"], found)
        if kind != "open-domain":
            assert numbers(said) <= numbers(shown), question
        if kind != "temporal" or said == question["answer"]:
            expected = words(said)
            assert len(expected & words(shown)) >= len(expected) * share, question


def test_memories_of_every_kind_and_status_are_records_with_sources() -> None:
    classes = {"memory": Memory, "entity": Entity, "relation": Relation}
    for record in remembered():
        kind = classes[record["record"]]
        required = {field.name for field in fields(kind) if field.default is MISSING}
        assert required <= set(record) - {"record"} <= {field.name for field in fields(kind)}
        if kind is not Entity:
            assert record["sources"] and all((account, turn) in turns() for account, turn in record["sources"])
            assert {account for account, _ in record["sources"]} == {record["account_id"]}
    memories = [record for record in remembered() if record["record"] == "memory"]
    assert {memory["kind"] for memory in memories} == set(get_args(MemoryKind))
    commitments = [memory for memory in memories if memory["kind"] == "commitment"]
    assert {commitment["status"] for commitment in commitments} == set(get_args(CommitmentStatus))
    assert all(date.fromisoformat(commitment["due_on"]) and commitment["subject"] for commitment in commitments)


def test_who_is_remembered_has_a_name_in_the_account() -> None:
    entities = [record for record in remembered() if record["record"] == "entity"]
    names = Counter((entity["account_id"], entity["name"]) for entity in entities)
    aliases = Counter(
        (entity["account_id"], alias.casefold())
        for entity in entities
        for alias in {entity["name"], *entity.get("aliases", [])}
    )
    assert set(names.values()) == {1} == set(aliases.values())
    for record in remembered():
        assert all((record["account_id"], record[end]) in names for end in ("subject", "object") if end in record)


def test_what_was_believed_ends_when_it_is_superseded() -> None:
    memories = [record for record in remembered() if record["record"] == "memory"]
    known = {memory["external_id"]: memory for memory in memories if "external_id" in memory}
    assert len(known) == sum("external_id" in memory for memory in memories)
    superseded = [(known[old], memory) for memory in memories for old in memory.get("supersedes", [])]
    assert superseded and {old["external_id"] for old, _ in superseded} == {
        memory["external_id"] for memory in memories if "retired_at" in memory
    }
    for old, new in superseded:
        assert old["recorded_at"] < old["retired_at"] == new["recorded_at"]
    for memory in memories:
        latest = max(turns()[account, turn][0].at for account, turn in memory["sources"])
        assert datetime.fromisoformat(memory["recorded_at"]) == latest.replace(tzinfo=UTC)

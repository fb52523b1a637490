"""Conversations with questions whose evidence is known, read from files in LoCoMo's format.

A file is a list of samples, `{"sample_id", "conversation": {"session_1_date_time", "session_1": [{"speaker", "dia_id",
"text"}], …}, "qa": [{"question", "evidence", "category"}]}`. Questions may come from a file of their own, as
`{"account_id", "question", "kind", "evidence"}`; sessions may have a `session_1_channel`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ABSENT = "not-in-memory"
KINDS = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: ABSENT}  # LoCoMo's numbers
_IDS = re.compile(r"D:?(\d+):(\d+)")
_WRITTEN = re.compile(r"(\d+):(\d+) ([ap]m) on (\d+) (\w+),? (\d{4})")


@dataclass(frozen=True)
class Turn:
    """What one speaker said; `turn_id` is the file's `dia_id`."""

    turn_id: str
    speaker: str
    text: str


@dataclass(frozen=True)
class Session:
    """One conversation, ticket or e-mail. `occurred_at` is ISO 8601 in UTC."""

    occurred_at: str
    channel: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Question:
    """A question and the turns that answer it; none if nothing does."""

    text: str
    kind: str
    evidence: frozenset[str]


@dataclass(frozen=True)
class Sample:
    """One account: its history, and what is asked about it."""

    sample_id: str
    sessions: tuple[Session, ...]
    questions: tuple[Question, ...]


def read(paths: Sequence[Path]) -> list[Sample]:
    """The samples of these files and folders, with the questions of the files among them that hold only questions."""
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    rows: list[dict[str, Any]] = [row for file in files for row in json.loads(file.read_text())]
    asked = [row for row in rows if "conversation" not in row]
    return [_sample(row, asked) for row in rows if "conversation" in row]


def _sample(row: dict[str, Any], asked: Sequence[dict[str, Any]]) -> Sample:
    sessions = tuple(_sessions(row["conversation"]))
    turn_ids = {turn.turn_id for session in sessions for turn in session.turns}
    own = [*row.get("qa", []), *(q for q in asked if q["account_id"] == row.get("account_id", row["sample_id"]))]
    questions = [_question(question, turn_ids) for question in own]
    # Some questions of LoCoMo have no evidence that exists; they cannot be measured.
    return Sample(str(row["sample_id"]), sessions, tuple(q for q in questions if q.evidence or q.kind == ABSENT))


def _question(row: dict[str, Any], turn_ids: set[str]) -> Question:
    kind = str(row["kind"]) if "kind" in row else KINDS[row["category"]]
    named = {f"D{int(a)}:{int(b)}" for entry in row.get("evidence", []) for a, b in _IDS.findall(entry)}
    return Question(str(row["question"]), kind, frozenset() if kind == ABSENT else frozenset(named & turn_ids))


def _sessions(conversation: dict[str, Any]) -> list[Session]:
    sessions: list[Session] = []
    number = 0
    while f"session_{(number := number + 1)}_date_time" in conversation:
        if turns := conversation.get(f"session_{number}"):
            when = _time(str(conversation[f"session_{number}_date_time"]))
            channel = str(conversation.get(f"session_{number}_channel", "chat"))
            sessions.append(Session(when, channel, tuple(_turn(turn) for turn in turns)))
    return sessions


def _turn(row: dict[str, Any]) -> Turn:
    caption = row.get("blip_caption")  # of a picture that was sent with it
    return Turn(str(row["dia_id"]), str(row["speaker"]), f"{row['text']} {caption}" if caption else str(row["text"]))


def _time(written: str) -> str:
    if match := _WRITTEN.search(written):
        hour, minute, half, day, month, year = match.groups()
        moment = datetime.strptime(f"{day} {month} {year} {hour}:{minute} {half}", "%d %B %Y %I:%M %p")
    else:
        moment = datetime.fromisoformat(written.removesuffix("Z"))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"

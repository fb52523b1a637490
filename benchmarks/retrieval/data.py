"""Conversations with questions whose evidence is known, in LoCoMo's format (see `flotilla_memory.formats.locomo`).

Beside its `conversation`, which the server's own import reads, a sample has `"qa": [{"question", "evidence",
"category"}]`. Questions may also come from a file of their own, as `{"account_id", "question", "kind", "evidence"}`.
"""

import json
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flotilla_kit.imports import Source
from flotilla_memory.formats.locomo import LOCOMO
from flotilla_memory.records import Episode, Turn

ABSENT = "not-in-memory"
KINDS = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: ABSENT}  # LoCoMo's numbers
_IDS = re.compile(r"D:?(\d+):(\d+)")


@dataclass(frozen=True)
class Question:
    """A question and the turns that answer it; none if nothing does."""

    text: str
    kind: str
    evidence: frozenset[str]


@dataclass(frozen=True)
class Sample:
    """One account: its history, and what is asked about it."""

    account_id: str
    episodes: tuple[Episode, ...]
    questions: tuple[Question, ...]


def turn_id(episode: str | None, position: int) -> str:
    """A turn as evidence names it: `D3:4` is the fourth of the episode with the external id `conv-26/D3`."""
    return f"{str(episode).rpartition('/')[2]}:{position}"


def turns(episodes: Sequence[Episode]) -> dict[str, Turn]:
    """All turns, by their ids."""
    return {
        turn_id(episode.external_id, position): turn
        for episode in episodes
        for position, turn in enumerate(episode.turns, 1)
    }


def read(paths: Sequence[Path]) -> list[Sample]:
    """The samples of these files and folders, with the questions of the files among them that hold only questions."""
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    rows: list[dict[str, Any]] = [row for file in files for row in json.loads(file.read_text())]
    asked = [row for row in rows if "conversation" not in row]
    told = [row for row in rows if "conversation" in row]
    histories = LOCOMO.parse(Source(json.dumps(told)))
    return [_sample(row, episodes, asked) for row, episodes in zip(told, histories, strict=True)]


def _sample(row: dict[str, Any], episodes: tuple[Episode, ...], asked: Sequence[dict[str, Any]]) -> Sample:
    account_id, turn_ids = episodes[0].account_id, turns(episodes).keys()
    own = [*row.get("qa", []), *(question for question in asked if question["account_id"] == account_id)]
    questions = [_question(question, turn_ids) for question in own]
    # Some questions of LoCoMo have no evidence that exists; they cannot be measured.
    return Sample(account_id, episodes, tuple(q for q in questions if q.evidence or q.kind == ABSENT))


def _question(row: dict[str, Any], turn_ids: Set[str]) -> Question:
    kind = str(row["kind"]) if "kind" in row else KINDS[row["category"]]
    named = {f"D{int(a)}:{int(b)}" for entry in row.get("evidence", []) for a, b in _IDS.findall(entry)}
    return Question(str(row["question"]), kind, frozenset() if kind == ABSENT else frozenset(named & turn_ids))

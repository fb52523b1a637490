"""Conversations in the file format of LoCoMo: `locomo10.json`, and ours with `account_id` and channels beyond it.

From the README and data of github.com/snap-research/LoCoMo (3eb6f2c5): a list of samples, each with `sample_id` and
`conversation`, in which `session_1` is a list of turns `{speaker, dia_id, text, blip_caption?}`, and
`session_1_date_time` is when it was (`1:56 pm on 8 May, 2023`; ISO 8601 is taken too). Ours adds `account_id` to a
sample, and to a session `session_1_channel` and `session_1_title`.

A session is an episode with the external id `conv-26/D1`, its turns in their order, so that the turn `D1:3` is the
episode's third. The account is the sample's `account_id`, or else its `sample_id`. The caption of a picture belongs to
the turn's text. Dropped are pictures' addresses and searches, and what is no conversation: `qa`, `observation`,
`session_summary`, `event_summary`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from flotilla_kit.imports import BadRow, Format, Problem, Row, Source

from ..records import Episode, Turn
from . import values
from .json_items import given, read_items
from .looks import head
from .values import Given

_LONGEST_SAMPLE = 32 * 1024 * 1024  # characters
_SESSION = re.compile(r"session_(\d{1,9})")


def read(source: Source) -> Iterator[Row[Given] | Problem]:
    """Each sample of a file."""
    return given(read_items(source, longest=_LONGEST_SAMPLE), source)


def check(row: Given) -> tuple[Episode, ...]:
    """The sessions of a sample, in the order of their numbers.

    Raises:
        BadRow: it has none, or one of them is not as described.
    """
    sample = row.values
    conversation = values.mapping(sample.get("conversation"))
    identifier = values.name(sample.get("sample_id"), "sample_id")
    account = row.account if row.account is not None else sample.get("account_id", identifier)
    sessions = sorted(
        (int(named[1]), key)
        for key in conversation
        if (named := _SESSION.fullmatch(key)) and conversation[key]  # some have a time and no turns
    )
    if not sessions:
        raise BadRow("there is no session in its conversation", column="conversation")
    return tuple(
        Episode(
            account_id=values.name(account, "account_id"),
            channel=values.name(conversation.get(f"{key}_channel", "chat"), f"{key}_channel"),
            occurred_at=_time(conversation, key),
            turns=tuple(_turn(turn, key) for turn in values.objects(conversation[key], key)),
            title=values.optional_name(conversation.get(f"{key}_title"), f"{key}_title"),
            external_id=f"{identifier}/D{number}",
        )
        for number, key in sessions
    )


def _time(conversation: values.Object, key: str) -> str:
    column = f"{key}_date_time"
    occurred_at = values.instant(conversation.get(column), column)
    if occurred_at is None:
        raise BadRow(f"{key} has no time", column=column)
    return occurred_at


def _turn(turn: values.Object, key: str) -> Turn:
    said, caption = turn.get("text") or "", turn.get("blip_caption")
    if caption:
        said = f"{said}\n[picture: {values.text(caption, f'blip_caption in {key}')}]".lstrip()
    return Turn(
        values.optional_name(turn.get("speaker"), f"speaker in {key}"),
        values.text(said, f"text in {key}"),
        values.instant(turn.get("date_time"), f"date_time in {key}"),
    )


def _recognises(path: Path) -> bool:
    start = head(path)
    return start.startswith("[") and ('"conversation"' in start or ('"qa"' in start and '"evidence"' in start))


LOCOMO = Format[Given, tuple[Episode, ...]]("records", read, check, kind="locomo", recognises=_recognises)

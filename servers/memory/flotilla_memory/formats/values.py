"""Values of other systems' files as the store keeps them: text, times, accounts; a `BadRow` says what is none of it."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from flotilla_kit.imports import BadRow
from flotilla_kit.times import utc

Object = dict[str, Any]
"""A JSON object."""

LONGEST_NAME = 200  # characters of an account's id, an entity's name, an external id
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # what no database stores as text
_SPOKEN_TIME = re.compile(r"\s*(\d{1,2}):(\d{2})\s*([ap]m)\s+on\s+(\d{1,2})\s+([A-Za-z]{3,9}),?\s+(\d{4})\s*", re.I)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SHORT, _LONG = 800, 2000  # characters of a passage: paragraphs are put together up to the first, cut at the second


@dataclass(frozen=True)
class Given:
    """A JSON object of a file, and the account that the command line names for all of it."""

    values: Object
    account: str | None = None


def clean(text: str) -> str:
    """Text without what no database stores."""
    return _NO_TEXT.sub("\ufffd", text)


def name(value: object, column: str) -> str:
    """A short text in one line, such as an id or a name; numbers are written out.

    Raises:
        BadRow: it is something else, or too long.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRow(f"{column} is not text", column=column)
    text = " ".join(clean(str(value)).split())
    if len(text) > LONGEST_NAME:
        raise BadRow(f"{column} has more than {LONGEST_NAME} characters", column=column)
    return text


def optional_name(value: object, column: str) -> str | None:
    """The same, None where there is none."""
    return (name(value, column) or None) if value is not None else None


def text(value: object, column: str) -> str:
    """Text that says something.

    Raises:
        BadRow: it is none, or blank.
    """
    if not isinstance(value, str):
        raise BadRow(f"{column} is not text" if value is not None else f"it has no {column}", column=column)
    if not value.strip():
        raise BadRow(f"{column} is empty", column=column)
    return clean(value)


def instant(value: object, column: str) -> str | None:
    """A time as the store keeps it; None where there is none.

    ISO 8601, of UTC where it names no zone; seconds since 1970, or thousandths and so on of them (as cognee writes);
    or `1:56 pm on 8 May, 2023` (as LoCoMo writes).

    Raises:
        BadRow: it is none of these.
    """
    if value is None or value == "":
        return None
    try:
        return utc(_time_of(value))
    except (ValueError, OverflowError, OSError):
        raise BadRow(f"{column}: '{{value}}' is not a time", column=column, value=str(value)) from None


def day(value: object, column: str) -> str | None:
    """A day such as 2026-03-01, None where there is none.

    Raises:
        BadRow: it is another text.
    """
    if value is None or value == "":
        return None
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise BadRow(f"{column}: '{{value}}' is not a day", column=column, value=str(value)) from None


def after(value: object, column: str) -> str | None:
    """When something ends that lasts through a day, or until a time."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        end = datetime.fromisoformat(str(day(value, column)))
        return utc(end + timedelta(days=1)) if end.year < 9999 else None
    return instant(value, column)


def share(value: object) -> float | None:
    """A confidence from 0 to 1, also where it is written as text; None for anything else."""
    try:
        number = float(cast(Any, value))
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0 <= number <= 1 and not isinstance(value, bool) else None


def objects(value: object, column: str) -> list[Object]:
    """A list of JSON objects; none is an empty one.

    Raises:
        BadRow: it is something else.
    """
    items = cast("list[object]", value) if isinstance(value, list) else None if value is not None else []
    if items is None or not all(isinstance(item, dict) for item in items):
        raise BadRow(f"{column} is not a list of objects", column=column)
    return cast("list[Object]", items)


def texts(value: object, column: str) -> list[str]:
    """A list of texts, blank ones left out; one text by itself is a list of it.

    Raises:
        BadRow: it is something else.
    """
    items = [value] if isinstance(value, str) else value if value is not None else []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in cast("list[object]", items)):
        raise BadRow(f"{column} is not a list of texts", column=column)
    return [clean(item) for item in cast("list[str]", items) if item.strip()]


def mapping(value: object) -> Object:
    """A JSON object; an empty one for anything else."""
    return cast(Object, value) if isinstance(value, dict) else {}


def details(of: Mapping[str, object]) -> str:
    """What has no place of its own, as a line of text: `(categories: travel, food; source: slack)`."""
    said = [f"{key}: {_said(value)}" for key, value in of.items() if value not in (None, "", [], {})]
    return clean(f"({'; '.join(said)})") if said else ""


def passages(text: str) -> Iterator[str]:
    """A long text in pieces of a few paragraphs, so that one of them can be found and shown by itself."""
    held = ""
    for paragraph in _paragraphs(text.splitlines()):
        if held and len(held) + len(paragraph) > _SHORT and len(held) > _SHORT // 4:
            yield held
            held = ""
        held = f"{held}\n\n{paragraph}" if held else paragraph
        while len(held) > _LONG:
            cut = max(held.rfind(" ", _SHORT, _LONG), held.rfind("\n", _SHORT, _LONG))
            cut = cut if cut > 0 else _LONG
            yield held[:cut].rstrip()
            held = held[cut:].lstrip()
    if held.strip():
        yield held


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    paragraph: list[str] = []
    for line in lines:
        if line.strip():
            paragraph.append(line.rstrip())
        elif paragraph:
            yield "\n".join(paragraph)
            paragraph = []
    if paragraph:
        yield "\n".join(paragraph)


def _time_of(value: object) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
        while abs(seconds) > 2e10:  # past the year 2603: it was a finer unit (as cognee's parse_timestamp has it)
            seconds /= 1000
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, str):
        raise ValueError
    if spoken := _SPOKEN_TIME.fullmatch(value[:100]):
        hour, minute, half, of_month, month, year = spoken.groups()
        number = _MONTHS.index(month[:3].lower()) + 1
        return datetime(int(year), number, int(of_month), int(hour) % 12 + 12 * (half.lower() == "pm"), int(minute))
    return datetime.fromisoformat(value.strip())


def _said(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_said, cast("list[object]", value)))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""Pages of answers of a size: where they start, and items that are cut so that they fit."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

from flotilla_kit.errors import InvalidCursor
from flotilla_kit.paging import Page, answer_bytes, decode_cursor, page_within
from pydantic import BaseModel

MOST_HITS = 300  # the best of a search, that pages can show
SHORTEST = 40  # of a text, before other parts of an item that is too large are left out:
DISPENSABLE: Mapping[str, Any] = {"source": None, "sources": None, "evidence": [], "title": None, "by": None, "why": ""}
T = TypeVar("T", bound=BaseModel)


def start_of(cursor: str | None) -> int:
    """How many items of a list that is computed anew the pages before a cursor showed.

    Raises:
        InvalidCursor: the cursor is none of such a page.
    """
    start = 0 if cursor is None else int(decode_cursor(cursor, int)[0])
    if not 0 <= start <= MOST_HITS:
        raise InvalidCursor("That cursor is none of this tool's.", suggestion="Leave it out to start over.")
    return start


def time_and_id_of(cursor: str) -> tuple[str, str]:
    """The time and id of the last item of the page before.

    Raises:
        InvalidCursor: the cursor is none of such a page.
    """
    time, identifier = decode_cursor(cursor, str, str)
    return str(time), str(identifier)


def numbered(found: Sequence[T], start: int, limit: int, max_bytes: int) -> Page[T]:
    """A page of a list that is computed anew for every page; the cursor counts its items."""
    end = count(start + 1)
    return page_within(found, max_bytes, lambda _: (next(end),), limit=limit, shorten=shorter)


def shorter(item: T, room: int) -> T:
    """An item that fits: its text cut, then without what it can do without."""
    said: str = getattr(item, "text", "")
    while len(said) > SHORTEST and answer_bytes(item) > room:
        said = said[: len(said) // 2]
        item = item.model_copy(update={"text": said, "truncated": True})
    for name, nothing in DISPENSABLE.items():
        if answer_bytes(item) > room and name in type(item).model_fields:
            item = item.model_copy(update={name: nothing})
    return item

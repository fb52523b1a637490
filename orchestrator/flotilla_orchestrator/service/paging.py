"""Pages by keyset: a cursor names the last row that was seen, by its time and id."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from flotilla_kit.paging import decode_cursor, encode_cursor

T = TypeVar("T")
Position = tuple[str, str]


def position_of(cursor: str | None) -> Position | None:
    """The position after which a page begins; None: at the start. Raises InvalidCursor."""
    if cursor is None:
        return None
    at, row_id = decode_cursor(cursor, str, str)
    return str(at), str(row_id)


def page_of(rows: Sequence[T], limit: int, position: Callable[[T], Position]) -> tuple[Sequence[T], str | None]:
    """A page and the cursor of the next one, None if there is none.

    Args:
        rows: those of the page, and one more if there is one.
    """
    page = rows[:limit]
    return page, encode_cursor(*position(page[-1])) if len(rows) > limit else None

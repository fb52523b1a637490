"""Pages and pieces: answers of a size, and how to ask for the rest.

A page is `{items, next_cursor}`; a cursor names the last row seen, so rows never repeat or vanish. A long text comes in
pieces by offset. Sizes are bytes of JSON in UTF-8, as the answer's text has them.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import BaseModel, Field, TypeAdapter

from .errors import AnswerTooLarge, InvalidCursor

T = TypeVar("T")
Position = tuple[str | int, ...]
_ANY = TypeAdapter[Any](Any)
_ENVELOPE = len(b'{"items":[],"next_cursor":""}')
MOST_ITEMS = 100

Limit = Annotated[int, Field(ge=1, le=MOST_ITEMS)]
Cursor = Annotated[str, Field(max_length=500, description="next_cursor of the previous page")]


class Page(BaseModel, Generic[T]):
    """One page. `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*position: str | int) -> str:
    """An opaque cursor for the sort position of the last row of a page."""
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> tuple[str | int, ...]:
    """The sort position in a cursor, checked to have the given types.

    Raises:
        InvalidCursor: it is not a cursor, or one of another tool.
    """
    try:
        position = cast(object, json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))
    except (ValueError, RecursionError):
        position = None
    parts = cast(list[str | int], position) if isinstance(position, list) else []
    if not parts or [type(part) for part in parts] != list(kinds) or not all(map(_storable, parts)):
        raise InvalidCursor(
            "That cursor was not issued by this tool.",
            suggestion="Pass next_cursor of the previous answer unchanged, or leave it out to start over.",
        )
    return tuple(parts)


def _storable(part: str | int) -> bool:
    """Whether a database can be asked for it: text without NUL or lone surrogates, an integer that JSON can say."""
    if isinstance(part, int):
        return abs(part) <= 2**53
    return "\0" not in part and not any("\ud800" <= character <= "\udfff" for character in part)


def answer_bytes(value: object) -> int:
    """Bytes of a value as the text of an answer."""
    return len(_ANY.dump_json(value, fallback=str))


def page_within(
    items: Iterable[T],
    budget: int,
    position: Callable[[T], Position],
    *,
    limit: int = MOST_ITEMS,
    shorten: Callable[[T, int], T] | None = None,
) -> Page[T]:
    """A page of as many items as fit into `budget` bytes, at least one; no more is taken of `items` than one beyond.

    Args:
        items: those from the asked-for position on, in order.
        position: of an item in that order, which its cursor says.
        limit: how many items at most.
        shorten: a first item that is too large, and the bytes there are for it, to one that fits.

    Raises:
        AnswerTooLarge: the first item does not fit, and there is no way to shorten it or that one does not fit either.
    """
    page = _Filling(budget, position, limit, shorten)
    for item in items:
        if not page.take(item):
            return page.ended(more=True)
    return page.ended(more=False)


async def fetch_page_within(
    fetch: Callable[[T | None], Awaitable[Sequence[T]]],
    budget: int,
    position: Callable[[T], Position],
    *,
    limit: int = MOST_ITEMS,
    shorten: Callable[[T, int], T] | None = None,
) -> Page[T]:
    """As `page_within`, of items that have to be fetched.

    Args:
        fetch: some of the items after the given one; with None, from the asked-for position on. Empty at the end.
    """
    page, last = _Filling(budget, position, limit, shorten), None
    while found := await fetch(last):
        for item in found:
            if not page.take(item):
                return page.ended(more=True)
        last = found[-1]
    return page.ended(more=False)


def slice_within(items: Sequence[T], budget: int, cursor: str | None, *, limit: int = MOST_ITEMS) -> Page[T]:
    """The page at a cursor of a list that is computed anew for every page; the cursor counts its items.

    Raises:
        InvalidCursor: the cursor is not one of such a page.
        AnswerTooLarge: one item does not fit.
    """
    start = max(0, int(decode_cursor(cursor, int)[0])) if cursor is not None else 0
    end = count(start + 1)
    return page_within(items[start : start + limit + 1], budget, lambda _: (next(end),), limit=limit)


class _Filling(Generic[T]):
    """A page being filled."""

    def __init__(
        self, budget: int, position: Callable[[T], Position], limit: int, shorten: Callable[[T, int], T] | None
    ) -> None:
        self._budget, self._position, self._limit, self._shorten = budget, position, limit, shorten
        self._items: list[T] = []
        self._used = _ENVELOPE
        self._cursor: str | None = None

    def take(self, item: T) -> bool:
        """Whether there is room for the item, with the cursor that would follow it."""
        if len(self._items) >= self._limit:
            return False
        cursor = encode_cursor(*self._position(item))
        room = self._budget - self._used - len(cursor) - bool(self._items)
        size = answer_bytes(item)
        if size > room:
            if self._items:
                return False
            item, size = self._shortened(item, room)
        self._items.append(item)
        self._used += size + (len(self._items) > 1)
        self._cursor = cursor
        return True

    def ended(self, *, more: bool) -> Page[T]:
        return Page[Any].model_construct(items=self._items, next_cursor=self._cursor if more else None)

    def _shortened(self, item: T, room: int) -> tuple[T, int]:
        if self._shorten is not None:
            item = self._shorten(item, room)
        size = answer_bytes(item)
        if size > room:
            raise AnswerTooLarge(
                f"One item alone has {size} bytes; {max(room, 0)} are the most.",
                suggestion="Ask for it by its id, or for fewer of its fields.",
            )
        return item, size


def piece_within(text: str, offset: int, budget: int) -> tuple[str, int | None]:
    """A piece of a long text from a character's offset: as much as fits into `budget` bytes of JSON, and the offset of
    the next piece, None at the end.

    It ends with a whole line where one ends in its second half, never inside a character or a line's `\\r\\n`.
    """
    rest = text[offset : offset + budget]  # a character takes a byte or more
    low, high = 0, len(rest)
    while low < high:
        middle = (low + high + 1) // 2
        if answer_bytes(rest[:middle]) <= budget:
            low = middle
        else:
            high = middle - 1
    end = offset + max(low, 1)
    if end >= len(text):
        return text[offset:], None
    line = text.rfind("\n", offset, end) + 1
    if line > offset + low // 2:
        end = line
    elif text[end - 1 : end + 1] == "\r\n" and end - 1 > offset:
        end -= 1
    return text[offset:end], end

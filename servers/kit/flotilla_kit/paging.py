"""Keyset pages: `{items, next_cursor}`. A cursor names the last row seen, so rows never repeat or vanish."""

import base64
import json
from typing import Annotated, Generic, TypeVar, cast

from pydantic import BaseModel, Field

from .errors import InvalidCursor

T = TypeVar("T")

Limit = Annotated[int, Field(ge=1, le=100)]
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

"""Lists of objects as rows, page by page, as the API server prints them."""

import hashlib
import json
import re
from itertools import count
from typing import Any

from flotilla_kit.errors import InvalidCursor
from flotilla_kit.paging import Page, answer_bytes, decode_cursor, encode_cursor, page_within

from ..cluster.place import Place
from ..cluster.tables import Table
from ..models import Rows

LONGEST_CELL = 300  # characters
_ENVELOPE = 400  # bytes of columns and the rest around the items
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


async def list_rows(place: Place, labels: str | None, limit: int, cursor: str | None, max_bytes: int) -> Rows:
    """A page of rows, with a namespace each where it is a list of all namespaces.

    Raises:
        InvalidCursor: it is of another list, or too old.
    """
    token, skip = read_cursor(cursor, place, labels)
    everywhere = place.kind.namespaced and place.namespace is None
    table = await place.cluster.table(
        place.kind, place.namespace, labels=labels, limit=limit + skip, token=token or None, metadata=everywhere
    )
    columns, rows = _printed(table, everywhere)
    rows, after, of = rows[skip:], count(skip + 1), digest(place, labels)
    shown = place.cluster.redactor.rows(columns, rows[: limit + 1])
    following = encode_cursor(of, table.token, 0) if table.token else None
    room = max_bytes - _ENVELOPE
    if len(rows) <= limit and answer_bytes(shown) + len(following or "") <= room:  # in one go, which is mostly so
        page = Page(items=shown)
    else:
        page = page_within(shown, room, lambda _: (of, token, next(after)), limit=limit)
    beyond = len(rows) - len(page.items)
    following = page.next_cursor or following
    remaining = None if table.token and table.remaining is None else (table.remaining or 0) + beyond
    return Rows(items=page.items, next_cursor=following, columns=columns, remaining=remaining or None)


def digest(place: Place, labels: str | None) -> str:
    """What list a cursor is of."""
    said = [place.cluster.name, place.kind.api_version, place.kind.plural, place.namespace, labels]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:8]


def read_cursor(cursor: str | None, place: Place, labels: str | None) -> tuple[str, int]:
    """The API server's token in a cursor, and how many rows after it were seen already.

    Raises:
        InvalidCursor: it is of another list.
    """
    if cursor is None:
        return "", 0
    of, token, skip = decode_cursor(cursor, str, str, int)
    if of != digest(place, labels) or not 0 <= int(skip) <= 10_000:
        raise InvalidCursor(
            "That cursor was not issued for this list.",
            suggestion="Pass next_cursor of the previous answer with the same arguments, or leave it out.",
        )
    return str(token), int(skip)


def _printed(table: Table, everywhere: bool) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows without those that a terminal would show only when asked for more."""
    shown = [number for number, column in enumerate(table.columns) if not column.priority]
    columns = [_NOT_PLAIN.sub("_", table.columns[number].name.lower()).strip("_") for number in shown]
    rows = [[_cut(cells[number]) for number in shown] for cells, _ in table.rows]
    if everywhere and "namespace" not in columns:
        columns = ["namespace", *columns]
        rows = [[meta.namespace if meta else "", *row] for row, (_, meta) in zip(rows, table.rows, strict=True)]
    return columns, rows


def _cut(cell: Any) -> Any:
    return cell[:LONGEST_CELL] if isinstance(cell, str) else cell

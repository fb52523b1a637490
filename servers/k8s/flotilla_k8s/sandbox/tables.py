"""Tables: objects as rows of cells, and ages as the real server writes them."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from .columns import Column, columns_of
from .kinds import Kind
from .objects import Object, seconds_of
from .storage import Stored

TABLE = {"kind": "Table", "apiVersion": "meta.k8s.io/v1"}


def table(
    kind: Kind, found: Sequence[Stored], metadata: Object, include: str = "Metadata", *, definitions: bool = True
) -> bytes:
    """A Table as JSON.

    Args:
        include: what of each object goes with its row: None, Metadata or Object.
        definitions: without them for what follows on a first Table in a watch.
    """
    columns, now = columns_of(kind), time.time()
    rows = [_row(columns, stored, include, now) for stored in found]
    shown = [column.definition() for column in columns] if definitions else []
    return msgspec.json.encode({**TABLE, "metadata": metadata, "columnDefinitions": shown, "rows": rows})


def _row(columns: list[Column], stored: Stored, include: str, now: float) -> Object:
    if stored.cells is None:
        stored.cells = [column.value(stored.object) for column in columns]
    cells = list(stored.cells)
    for index, column in enumerate(columns):
        if column.is_age:
            cells[index] = age(cells[index], now)
    return {"cells": cells, "object": _included(stored, include)}


def _included(stored: Stored, include: str) -> Any:
    if include == "None":
        return None
    return msgspec.Raw(stored.encoded) if include == "Object" else partial(stored.object)


def partial(value: Object) -> Object:
    """An object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": value["metadata"]}


def age(stamp: str | None, now: float) -> str:
    """How long ago a timestamp was, such as `5m10s`."""
    if not stamp:
        return "<unknown>"
    seconds = max(0, int(now - seconds_of(stamp)))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = divmod(days, 365)
    return f"{years}y{rest}d" if rest and years < 8 else f"{years}y"

"""Lists as an API server prints them (`meta.k8s.io/v1` Table): columns and cells, in place of whole objects."""

from dataclasses import dataclass
from typing import Any

import msgspec

ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class Column(msgspec.Struct):
    name: str
    priority: int = 0


class Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None


class _Partial(msgspec.Struct):
    metadata: Metadata = msgspec.field(default_factory=Metadata)


class _Row(msgspec.Struct):
    cells: list[Any] = []
    object: _Partial | None = None


class _ListMetadata(msgspec.Struct, rename={"token": "continue"}):
    token: str = ""
    remainingItemCount: int | None = None


class _Answer(msgspec.Struct):
    kind: str
    metadata: _ListMetadata = msgspec.field(default_factory=_ListMetadata)
    columnDefinitions: list[Column] = []
    rows: list[_Row] | None = None
    items: list[_Partial] | None = None


@dataclass(frozen=True)
class Table:
    """A page of a list. `token` continues it, None at the end; `remaining` is how many follow, if that is known."""

    columns: list[Column]
    rows: list[tuple[list[Any], Metadata | None]]
    """Cells, and what the object says of itself if that was asked for."""
    token: str | None
    remaining: int | None


_decoder = msgspec.json.Decoder(_Answer)


def read_table(body: bytes) -> Table:
    """A Table, or a list of objects of a server that makes none, of which only names are shown then."""
    said = _decoder.decode(body)
    token, remaining = said.metadata.token or None, said.metadata.remainingItemCount
    if said.kind == "Table":
        rows = [(row.cells, row.object.metadata if row.object else None) for row in said.rows or []]
        return Table(said.columnDefinitions, rows, token, remaining)
    names: list[tuple[list[Any], Metadata | None]] = [
        ([item.metadata.name, item.metadata.creationTimestamp], item.metadata) for item in said.items or []
    ]
    return Table([Column("Name"), Column("Created At")], names, token, remaining)

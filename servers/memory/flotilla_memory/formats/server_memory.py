"""The knowledge graph of `@modelcontextprotocol/server-memory`: its `memory.jsonl`.

From its source (github.com/modelcontextprotocol/servers, 76d64c82, `src/memory/index.ts`, `saveGraph`): a line for each
`{"type": "entity", "name", "entityType", "observations": [text]}` and
`{"type": "relation", "from", "to", "relationType"}`.

An entity stays one, each of its observations is a fact about it, a relation stays one. The file has no accounts and no
times: all of it belongs to the account that the command line names, or to the notebook without one.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from flotilla_kit.imports import BadRow, Format, Problem, Row, Source

from ..records import Entity, Memory, Record, Relation
from . import values
from .json_items import given, read_lines
from .looks import head
from .values import Given

_FIRST = re.compile(r'\{\s*"type"\s*:\s*"(entity|relation)"')


def read(source: Source) -> Iterator[Row[Given] | Problem]:
    """Each entity and relation of a file."""
    return given(read_lines(source), source)


def check(row: Given) -> tuple[Record, ...]:
    """An entity with what was observed of it, or a relation.

    Raises:
        BadRow: it is neither, or lacks a name.
    """
    item, account = row.values, values.name(row.account or "", "account")
    if item.get("type") == "relation":
        subject, predicate, object_ = (_named(item, column) for column in ("from", "relationType", "to"))
        return (Relation(account, subject, predicate.replace("_", " "), object_),)
    if item.get("type") != "entity":
        raise BadRow("its type is neither entity nor relation", column="type")
    called = _named(item, "name")
    observed = values.texts(item.get("observations"), "observations")
    return (
        Entity(account, called, values.optional_name(item.get("entityType"), "entityType")),
        *(Memory(account, "fact", observation, subject=called) for observation in observed),
    )


def _named(item: values.Object, column: str) -> str:
    return values.name(values.text(item.get(column), column), column)


def _recognises(path: Path) -> bool:
    return _FIRST.match(head(path)) is not None


SERVER_MEMORY = Format[Given, tuple[Record, ...]]("records", read, check, kind="server-memory", recognises=_recognises)

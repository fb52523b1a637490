"""COGX, cognee's archive of a memory: a folder with `manifest.json` and a JSONL file for each kind of record.

From cognee's `cognee/modules/migration/cogx.py`, `export.py` and `loader.py` (github.com/topoteretes/cognee, a8f9760b),
version 0.1. How its records become ours:

| COGX | here |
|---|---|
| document | an episode `note`, its text in pieces as turns |
| episode | an episode `chat` |
| entity | an entity, typed by its `is_a` edge; its description is a fact about it |
| fact between entities | a relation; its `fact_text` is a fact, and the relation's evidence |
| memory, memory_block | a memory; a note about the block's label |
| raw node with a text | a note, until its `valid_to` |

`valid_at` and `invalid_at` are the validity. `scope.user_id` is the account; where the command line names one, it is a
memory's subject. What has no place stands as a line below the text. Counted as left out: other graph nodes, edges from
and to them, provenance. `permissions.json`, which holds password hashes, is never read. Archives that this server wrote
carry each record whole in `metadata.flotilla`.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flotilla_kit.imports import BadRow, Format, ImportRefused, Problem, Row, Source

from ..records import Record
from . import values
from .cogx_archive import is_archive, unpack
from .cogx_records import OURS, Graph, Item, check
from .json_items import given, read_lines
from .values import Object

MANIFEST = "manifest.json"
VERSION = "0.1"
FILES = {
    "entity": "entities.jsonl",
    "document": "documents.jsonl",
    "episode": "episodes.jsonl",
    "memory": "memories.jsonl",
    "memory_block": "memory_blocks.jsonl",
    "raw_node": "nodes.jsonl",
    "fact": "facts.jsonl",
}
"""By kind of record, in an order in which what is cited comes before what cites it."""


def read(source: Source) -> Iterator[Row[Item] | Problem]:
    """Each record of an archive, which is a folder or a packed one."""
    if source.path is None or source.path.is_dir():
        yield from _read_folder(source)
        return
    if source.path.exists() and not is_archive(source.path):
        raise ImportRefused([source.problem(0, "this is neither a COGX folder nor its .tar.gz")])
    with tempfile.TemporaryDirectory(prefix="flotilla-cogx-") as folder:
        unpack(source, Path(folder), frozenset({MANIFEST, *FILES.values()}))
        unpacked = Source(Path(folder), source.columns, source.options)
        unpacked.left_out = source.left_out
        for row in _read_folder(unpacked):
            source.check_stopped()
            yield row


def _read_folder(source: Source) -> Iterator[Row[Item] | Problem]:
    root = source.path
    if root is not None and not (root / MANIFEST).exists():
        below = [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
        root = below[0] if len(below) == 1 else root
    graph = Graph()
    for file in _files(source, root, MANIFEST):
        graph.exported_at = _exported_at(file)
        break
    else:
        raise ImportRefused([source.problem(0, f"this is no COGX archive: there is no {MANIFEST}")])
    _learn(source, root, graph)
    for kind, name in FILES.items():
        for file in _files(source, root, name):
            for row in given(read_lines(file), source):
                if isinstance(row, Problem):
                    yield row
                elif _has_place(kind, row.values.values, graph, source):
                    yield Row(row.line, Item(kind, row.values, graph), row.file)


def _files(source: Source, root: Path | None, name: str) -> Iterator[Source]:
    for file in source.files(lambda path: root is not None and path == root / name):
        if file.size:  # nothing of that kind
            yield file


def _exported_at(manifest: Source) -> str | None:
    try:
        found = values.mapping(json.loads(manifest.text()))
    except (ValueError, RecursionError):
        raise ImportRefused([manifest.problem(0, "this is not JSON")]) from None
    if not str(found.get("cogx_version", "")).startswith("0."):
        raise ImportRefused([manifest.problem(1, f"this is no COGX of version {VERSION}, or a newer one")])
    try:
        return values.instant(found.get("exported_at"), "exported_at")
    except BadRow as bad:
        raise ImportRefused([Problem.of(1, bad, manifest.name)]) from None


def _learn(source: Source, root: Path | None, graph: Graph) -> None:
    """Read what ids stand for; problems are told when the records themselves are read."""
    for kind in ("entity", "raw_node", "fact"):
        for file in _files(source, root, FILES[kind]):
            for row in given(read_lines(file), source):
                if isinstance(row, Row):
                    _learn_of(kind, row.values.values, graph)


def _learn_of(kind: str, row: Object, graph: Graph) -> None:
    if kind == "entity" and isinstance(row.get("name"), str):
        graph.names[str(row.get("external_id"))] = row["name"]
    elif kind == "raw_node" and row.get("type") == "EntityType" and isinstance(row.get("name"), str):
        graph.types[str(row.get("id"))] = row["name"]
    elif kind == "fact" and row.get("predicate") == "is_a" and (name := graph.types.get(str(row.get("object_ref")))):
        graph.type_of[str(row.get("subject_ref"))] = name


def _has_place(kind: str, row: Object, graph: Graph, source: Source) -> bool:
    left_out = ""
    if kind == "raw_node":
        # A chunk's text is in the documents, a type is said with its entities.
        if row.get("type") in ("DocumentChunk", "EntityType"):
            return False
        left_out = "" if isinstance(row.get("text"), str) else "graph nodes"
    elif kind == "fact" and OURS not in values.mapping(row.get("metadata")):
        if row.get("predicate") == "is_a" and str(row.get("object_ref")) in graph.types:
            return False
        between = graph.entity(row.get("subject_ref")) and graph.entity(row.get("object_ref"))
        left_out = "" if between or row.get("fact_text") else "graph edges"
        if row.get("provenance"):
            source.left_out["provenance of facts"] += 1
    elif kind == "episode" and not row.get("turns"):
        left_out = "episodes without turns"
    if left_out:
        source.left_out[left_out] += 1
    return not left_out


def _recognises(path: Path) -> bool:
    return path.name.endswith((".cogx.tar.gz", ".cogx.tgz")) or (path / MANIFEST).is_file()


COGX = Format[Item, tuple[Record, ...]]("records", read, check, kind="cogx", recognises=_recognises)

"""Files as other memories write them, by their own documentation, and what is read of them."""

import json
from pathlib import Path
from typing import Any

from flotilla_kit.imports import Format, ImportRefused, Source
from flotilla_memory.records import Episode, Record
from pytest import raises


def jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


ALICE, BERLIN, PERSON, CHUNK, SUMMARY = (f"{n}1111111-1111-4111-8111-111111111111" for n in range(5))
ARCHIVE = {
    "manifest.json": json.dumps(
        {"cogx_version": "0.1", "source_system": "cognee", "exported_at": "2026-02-01T00:00:00Z"}
    ),
    "documents.jsonl": jsonl(
        {"kind": "document", "external_system": "cognee", "external_id": CHUNK, "content": "Alice lives in Berlin."}
    ),
    "entities.jsonl": jsonl(
        {
            "kind": "entity",
            "external_system": "cognee",
            "external_id": ALICE,
            "name": "Alice",
            "description": "A person",
        },
        {"kind": "entity", "external_system": "cognee", "external_id": BERLIN, "name": "Berlin"},
    ),
    "nodes.jsonl": jsonl(
        {"id": PERSON, "type": "EntityType", "name": "Person"},
        {"id": CHUNK, "type": "DocumentChunk", "text": "Alice lives in Berlin."},
        {"id": SUMMARY, "type": "TextSummary", "text": "Alice is a Berlin resident.", "valid_to": 1767225600000},
        {"id": "n", "type": "NodeSet", "name": "x"},
    ),
    "facts.jsonl": jsonl(
        {"kind": "fact", "external_id": "1", "subject_ref": CHUNK, "predicate": "contains", "object_ref": ALICE},
        {"kind": "fact", "external_id": "2", "subject_ref": ALICE, "predicate": "is_a", "object_ref": PERSON},
        {
            "kind": "fact",
            "external_system": "cognee",
            "external_id": "3",
            "subject_ref": ALICE,
            "predicate": "lives_in",
            "object_ref": BERLIN,
            "fact_text": "Alice lives in Berlin",
            "valid_at": "2026-01-01T00:00:00Z",
            "invalid_at": "2026-06-01T00:00:00Z",
        },
    ),
    "permissions.json": json.dumps({"owner": {"hashed_password": "secret"}}),
}


def archive(folder: Path, files: dict[str, str] = ARCHIVE) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


HEADERS = (
    "From: Dana Reyes <dana@example.com>\nTo: ann@example.org\nSubject: Renewal\nDate: Mon, 5 Jan 2026 10:00:00 +0100\n"
)


def mail(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "a.eml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def records(format_: Format[Any, Any], file: Path | str, **options: str) -> list[Record]:
    return [record for row in format_.parse(Source(file, options=options)) for record in row]


def problems(format_: Format[Any, Any], file: Path | str) -> list[str]:
    with raises(ImportRefused) as refused:
        format_.parse(Source(file))
    return refused.value.lines()


def episode(format_: Format[Any, Any], file: Path | str, **options: str) -> Episode:
    (only,) = records(format_, file, **options)
    assert isinstance(only, Episode)
    return only


def mem0(path: Path, number: int) -> Path:
    """So many memories of seven users, as mem0's `get_all` answers them."""
    items = [{"id": f"m{n}", "memory": f"Memory {n}", "user_id": f"user_{n % 7}"} for n in range(number)]
    path.write_text(json.dumps({"results": items}))
    return path

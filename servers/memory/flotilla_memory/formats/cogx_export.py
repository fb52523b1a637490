"""Records as a COGX archive, which cognee reads as its own; each record of ours stands whole in `metadata.flotilla`."""

import json
import tarfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from ..records import Entity, Episode, Memory, Record, Relation
from . import record_json
from .cogx import FILES, MANIFEST, VERSION
from .cogx_archive import is_archive
from .cogx_records import OURS
from .values import Object


def write(records: Iterable[Record], path: Path, now: str) -> None:
    """Write an archive at a new path: a folder, or packed if the path is named like one (`.cogx.tar.gz`)."""
    packed = is_archive(path)
    folder = path.with_name(f"{path.name}.files") if packed else path
    folder.mkdir()
    _write_folder(records, folder, now)
    if packed:
        with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
            for file in sorted(folder.iterdir()):
                tar.add(file, arcname=file.name)


def _write_folder(records: Iterable[Record], folder: Path, now: str) -> None:
    counts: Counter[str] = Counter()
    with ExitStack() as opened:
        files: dict[str, TextIO] = {}
        for record in records:
            kind, said = _said(record)
            if kind not in files:
                files[kind] = opened.enter_context((folder / FILES[kind]).open("x", encoding="utf-8", newline="\n"))
            counts[kind] += 1
            said["external_id"] = said.get("external_id") or f"{kind}-{counts[kind]}"
            files[kind].write(json.dumps({"kind": kind, "external_system": OURS, **said}, ensure_ascii=False) + "\n")
    manifest: Object = {"cogx_version": VERSION, "source_system": OURS, "exported_at": now, "counts": dict(counts)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def _said(record: Record) -> tuple[str, Object]:
    ours = record_json.dump(record)
    said: Object = {"scope": {"user_id": record.account_id} if record.account_id else {}, "metadata": {OURS: ours}}
    if isinstance(record, Episode):
        ours.pop("turns", None)
        turns = [
            {
                "role": turn.speaker or "",
                "content": turn.text,
                **({"occurred_at": at} if (at := turn.occurred_at) else {}),
            }
            for turn in record.turns
        ]
        title = {"title": record.title} if record.title else {}
        kept = {"external_id": record.external_id, "created_at": record.occurred_at, "turns": turns}
        return "episode", {**said, **kept, **title}
    if isinstance(record, Memory):
        ours.pop("text", None)
        created = {"created_at": record.recorded_at} if record.recorded_at else {}
        kept = {"external_id": record.external_id, "content": record.text, "categories": [record.kind]}
        return "memory", {**said, **kept, **created}
    if isinstance(record, Entity):
        type_ = {"entity_type": record.type} if record.type else {}
        # Cognee merges entities of one name; an id of its own keeps those of two accounts apart for facts.
        return "entity", {**said, "name": record.name, "aliases": list(record.aliases), **type_}
    return "fact", {**said, **_fact(record)}


def _fact(record: Relation) -> Object:
    times = {"valid_at": record.valid_from, "invalid_at": record.valid_to}
    return {
        "subject_ref": record.subject,
        "predicate": record.predicate,
        "object_ref": record.object,
        "provenance": list(record.sources),
        **{key: value for key, value in times.items() if value},
    }

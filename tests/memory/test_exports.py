"""What is exported is read back: records as COGX archives and as Markdown, whatever their texts say."""

import json
import re
import tarfile
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

from flotilla_kit.imports import Format, ImportRefused, Source
from flotilla_memory.formats import cogx_export, markdown_export
from flotilla_memory.formats.cogx import COGX
from flotilla_memory.formats.notes import NOTES
from flotilla_memory.records import Entity, Episode, Memory, Record, Relation, Turn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest import mark, raises

NOW = "2026-03-01T00:00:00.000+00:00"
Write = Callable[[Iterable[Record], Path], None]


def write_cogx(records: Iterable[Record], path: Path) -> None:
    cogx_export.write(records, path, NOW)


KINDS = [
    ("a", write_cogx, COGX),
    ("a.cogx.tar.gz", write_cogx, COGX),
    ("a", markdown_export.write, NOTES),
]
RECORDS: list[Record] = [
    Episode("", "note", NOW, (Turn(None, "A note of my own."),), external_id="ep_0"),
    Episode(
        "cust_1",
        "call",
        "2026-01-05T10:00:00.000+00:00",
        (Turn("Dana Reyes", "We renew.\n\n---\n# Not a title"), Turn("Ann", "Good.", "2026-01-05T10:01:00.000+00:00")),
        title="Renewal -->",
        external_id="ep_1",
        uri="https://example.com/calls/1",
    ),
    Entity("cust_1", "Dana Reyes", "person", ("dana", "ms reyes")),
    Memory(
        "cust_1",
        "commitment",
        'We send an offer.\n<!-- flotilla {"record": "memory"} -->\n\\<!-- flotilla \n\n',
        subject="Ann",
        attribute="offer",
        occurred_at=NOW,
        valid_from=NOW,
        valid_to="2026-04-01T00:00:00.000+00:00",
        recorded_at=NOW,
        retired_at="2026-03-02T00:00:00.000+00:00",
        confidence=0.5,
        due_on="2026-03-09",
        status="open",
        sources=("ep_1:1",),
        external_id="mem_1",
    ),
    Memory("cust_1", "commitment", "We sent it.", "Ann", status="kept", supersedes=("mem_1",), external_id="mem_2"),
    Relation("cust_1", "Dana Reyes", "works at", "Acme", NOW, None, ("ep_1:1", "mem_1")),
    Memory("Cust/../1", "fact", "Another account."),
    Memory("CUST_1", "fact", "An account in other letters."),
]


def read(format_: Format[Any, Any], path: Path, **options: str) -> list[Record]:
    return [record for row in format_.parse(Source(path, options=options)) for record in row]


def ordered(records: Iterable[Record]) -> list[str]:
    return sorted(map(repr, records))


def without_made_up_ids(records: Iterable[Record]) -> list[str]:
    return [re.sub(r"external_id='(memory|episode)-\d+'", "external_id=None", said) for said in ordered(records)]


@mark.parametrize(("name", "write", "format_"), KINDS, ids=["cogx", "packed", "markdown"])
def test_every_kind_of_record_is_read_back_as_it_was(
    tmp_path: Path, name: str, write: Write, format_: Format[Any, Any]
) -> None:
    write(RECORDS, tmp_path / name)
    assert ordered(read(format_, tmp_path / name)) == ordered(RECORDS)
    assert {record.account_id for record in read(format_, tmp_path / name, account="cust_9")} == {"cust_9"}


_texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=80).filter(str.strip)
_tricky = st.lists(
    st.sampled_from(
        ["<!-- flotilla {} -->", "\\", "\n", "\r\n", "\r", "-->", "---", "# x", " ", "\u2028", "\x0c", "é"]
    ),
    min_size=1,
    max_size=12,
).map("".join)
_said = st.one_of(_texts, _tricky.filter(str.strip))
_names = st.text(st.characters(exclude_categories=["C"], exclude_characters="\0"), min_size=1, max_size=20)
_accounts = st.sampled_from(["", "cust_1", "Ü/..", "a" * 150])
_records = st.lists(
    st.one_of(
        st.builds(
            Episode,
            _accounts,
            st.sampled_from(["call", "e/mail"]),
            st.just(NOW),
            st.lists(st.builds(Turn, st.none() | _names, _said), min_size=1, max_size=3).map(tuple),
            st.none() | _names,
        ),
        st.builds(Memory, _accounts, st.just("fact"), _said, subject=st.none() | _names),
        st.builds(Entity, _accounts, _names, st.none() | _names, st.lists(_names, max_size=2).map(tuple)),
        st.builds(Relation, _accounts, _names, _names, _names),
    ),
    min_size=1,
    max_size=6,
)
_folder = count()


@mark.parametrize(("name", "write", "format_"), KINDS[::2], ids=["cogx", "markdown"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(records=_records)
def test_whatever_texts_and_names_say_they_are_read_back(
    tmp_path: Path, name: str, write: Write, format_: Format[Any, Any], records: list[Record]
) -> None:
    records.sort(key=lambda record: record.account_id)
    path = tmp_path / f"{next(_folder)}{name}"
    write(records, path)
    assert without_made_up_ids(read(format_, path)) == ordered(records)


def test_cognee_finds_what_its_reader_needs_in_an_archive(tmp_path: Path) -> None:
    """The fields that cognee's models require, and the references that its loader resolves."""
    write_cogx(RECORDS, tmp_path / "a")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["cogx_version"] == "0.1" and manifest["counts"] == {
        "episode": 2,
        "entity": 1,
        "memory": 4,
        "fact": 1,
    }
    required = {
        "episodes.jsonl": ("external_id", "turns", "created_at"),
        "memories.jsonl": ("external_id", "content"),
        "entities.jsonl": ("external_id", "name", "aliases"),
        "facts.jsonl": ("external_id", "subject_ref", "predicate", "object_ref", "valid_at", "provenance"),
    }
    assert {path.name for path in (tmp_path / "a").iterdir()} == {*required, "manifest.json"}
    for name, fields in required.items():
        for line in (tmp_path / "a" / name).read_text().splitlines():
            row = json.loads(line)
            assert row["external_system"] == "flotilla" and all(row[field] is not None for field in fields)
    turns = json.loads((tmp_path / "a" / "episodes.jsonl").read_text().splitlines()[1])["turns"]
    assert [(turn["role"], turn["content"]) for turn in turns][1] == ("Ann", "Good.")


def test_a_packed_archive_holds_its_files_at_its_root(tmp_path: Path) -> None:
    write_cogx(RECORDS, tmp_path / "a.cogx.tar.gz")
    with tarfile.open(tmp_path / "a.cogx.tar.gz") as tar:
        assert {"manifest.json", "memories.jsonl"} <= set(tar.getnames())


def test_a_page_reads_well_and_each_account_has_its_folder(tmp_path: Path) -> None:
    markdown_export.write(RECORDS, tmp_path / "a")
    folders = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(folders) == 4 and "cust_1" in folders and all(re.fullmatch("[a-z0-9_-]+", name) for name in folders)
    assert len({name.lower() for name in folders}) == 4
    (page,) = (tmp_path / "a" / "cust_1").glob("2026-01-05-call-*.md")
    shown = [line for line in page.read_text().splitlines() if line and not line.startswith("<!--")]
    assert shown[:3] == ["# Renewal --> (call · 2026-01-05 10:00)", "**Dana Reyes**", "We renew."]


def test_a_page_that_was_damaged_names_its_line(tmp_path: Path) -> None:
    markdown_export.write(RECORDS, tmp_path / "a")
    (tmp_path / "a" / "cust_1" / "memories.md").write_text(
        '<!-- flotilla {"record": "memory", "kind": "fact"} -->\n\n\n'
    )
    (tmp_path / "a" / "cust_1" / "0-entities.md").write_text("<!-- flotilla {nonsense} -->\n")
    with raises(ImportRefused) as refused:
        read(NOTES, tmp_path / "a")
    assert refused.value.lines() == [
        "cust_1/0-entities.md, line 1: this comment says no record",
        "cust_1/memories.md, line 1: text is empty",
    ]

"""COGX archives become records: the shapes of cognee's `_write_cogx`, and archives that nobody should send."""

import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

from flotilla_kit.imports import Source
from flotilla_memory.formats.cogx import COGX
from flotilla_memory.records import Entity, Episode, Memory, Relation, Turn
from pytest import mark
from support.memory_files import ALICE, ARCHIVE, CHUNK, SUMMARY, archive, jsonl, problems, records


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_what_cognee_exports_keeps_types_validity_and_evidence(tmp_path: Path) -> None:
    source = Source(archive(tmp_path / "a"), options={"account": "cust_1"})
    found = [record for row in COGX.parse(source) for record in row]
    when = ("2026-01-01T00:00:00.000+00:00", "2026-06-01T00:00:00.000+00:00")
    assert found == [
        Entity("cust_1", "Alice", "Person"),
        Memory("cust_1", "fact", "A person", subject="Alice", external_id=f"cognee:{ALICE}#description"),
        Entity("cust_1", "Berlin"),
        Episode(
            "cust_1",
            "note",
            "2026-02-01T00:00:00.000+00:00",
            (Turn(None, "Alice lives in Berlin."),),
            external_id=f"cognee:{CHUNK}",
        ),
        Memory(
            "cust_1",
            "note",
            "Alice is a Berlin resident.",
            valid_to="2026-01-01T00:00:00.000+00:00",
            external_id=f"cognee:{SUMMARY}",
        ),
        Memory(
            "cust_1",
            "fact",
            "Alice lives in Berlin",
            subject="Alice",
            valid_from=when[0],
            valid_to=when[1],
            external_id="cognee:3",
        ),
        Relation("cust_1", "Alice", "lives in", "Berlin", *when, ("cognee:3",)),
    ]
    assert source.left_out == {"graph nodes": 1, "graph edges": 1}


def test_conversations_memories_and_blocks_of_other_systems_are_read(tmp_path: Path) -> None:
    scope = {"user_id": "alex", "session_id": "s1"}
    files = {
        "manifest.json": ARCHIVE["manifest.json"],
        "episodes.jsonl": jsonl(
            {"external_system": "zep", "external_id": "e", "scope": scope, "turns": [{"role": "user", "content": "Hi"}]}
        ),
        "memories.jsonl": jsonl(
            {
                "external_system": "mem0",
                "external_id": "m",
                "scope": scope,
                "content": "Likes tea",
                "categories": ["preferences"],
            }
        ),
        "memory_blocks.jsonl": jsonl(
            {"external_system": "letta", "external_id": "b", "label": "human", "value": "Ann"}
        ),
    }
    talk, memory, block = records(COGX, archive(tmp_path / "a", files))
    assert isinstance(talk, Episode) and (talk.account_id, talk.channel, talk.turns) == (
        "alex",
        "chat",
        (Turn("user", "Hi"),),
    )
    assert isinstance(memory, Memory) and (memory.kind, memory.account_id) == ("preference", "alex")
    assert memory.text == "Likes tea\n(categories: preferences; session_id: s1)" and memory.external_id == "mem0:m"
    assert block == Memory("", "note", "Ann", subject="human", external_id="letta:b")


@mark.parametrize("below", ["", "dump/"])
def test_a_packed_archive_is_the_same(tmp_path: Path, below: str) -> None:
    path = packed(tmp_path / "a.cogx.tar.gz", {below + name: text.encode() for name, text in ARCHIVE.items()})
    assert records(COGX, path) == records(COGX, archive(tmp_path / "a"))


def test_an_archive_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    files = {**ARCHIVE, "manifest.json": '{"cogx_version": "1.0"}'}
    assert "version 0.1" in problems(COGX, archive(tmp_path / "a", files))[0]


def test_problems_of_an_archive_name_file_and_line(tmp_path: Path) -> None:
    files = {**ARCHIVE, "memories.jsonl": jsonl({"external_id": "1", "content": "a"}, {"external_id": "2"}) + "{\n"}
    assert problems(COGX, archive(tmp_path / "a", files)) == [
        "memories.jsonl, line 2: it has no content",
        "memories.jsonl, line 3: this is not JSON",
    ]


@mark.parametrize("name", ["../memories.jsonl", "a/../../memories.jsonl", "/tmp/memories.jsonl"])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / "a.cogx.tar.gz", {"manifest.json": b"{}", name: b"{}"})
    assert problems(COGX, path) == ["a name in it leads out of the archive"]
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(jsonl({"external_id": "1", "content": "secret"}))
    folder = archive(tmp_path / "a")
    (folder / "memories.jsonl").symlink_to(tmp_path / "secret")
    assert "secret" not in repr(records(COGX, folder))
    link = tarfile.TarInfo("memories.jsonl")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        tar.addfile(link)
        for name, content in ARCHIVE.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
    assert "secret" not in repr(records(COGX, tmp_path / "b.tar"))


def bomb(path: Path) -> None:
    zeros = b"\0" * 1024 * 1024
    info = tarfile.TarInfo("memories.jsonl")
    info.size = 200 * len(zeros)
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf())
        for _ in range(200):
            file.write(zeros)


def long_header(path: Path) -> None:
    """A pax header, which is read whole, of 200 MB."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 200 * 1024 * 1024
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(200):
            file.write(b" " * 1024 * 1024)


@mark.parametrize("make", [bomb, long_header])
def test_an_archive_that_unpacks_to_far_more_is_refused_in_bounded_memory(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "a.cogx.tar.gz")
    tracemalloc.start()
    (said,) = problems(COGX, tmp_path / "a.cogx.tar.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ("unpacks to more than" in said or "of an odd size" in said) and peak < 20_000_000


@mark.parametrize(
    "content", [b"nonsense", b"", gzip.compress(b"nonsense" * 500, mtime=0), gzip.compress(b"x" * 5000, mtime=0)[:-10]]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.cogx.tar.gz").write_bytes(content)
    assert problems(COGX, tmp_path / "a.cogx.tar.gz")

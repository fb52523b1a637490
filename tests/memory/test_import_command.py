"""`flotilla-memory import` and `export`: what is in one store is in the next, once, whatever happened on the way."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from flotilla_kit import cli
from flotilla_kit.imports import Source
from flotilla_memory.formats.cogx import COGX
from flotilla_memory.records import Episode, Record
from flotilla_memory.server import create_server
from flotilla_memory.settings import Settings
from pytest import mark
from support import programs
from support.answers import answer_of
from support.memory_files import ARCHIVE, CHUNK, HEADERS, archive, jsonl, mail, mem0
from support.processes import clean_environment
from support.terminal import at_terminal

Run = Callable[..., Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a sub-command over the store of a folder; its answer as JSON."""

    def run(home: Path, command: str, path: Path, *arguments: str, code: int = 0) -> Any:
        assert cli.main("flotilla_memory", ["--home", str(home), command, str(path), *arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


def exported(run: Run, home: Path, to: Path, *arguments: str) -> list[Record]:
    run(home, "export", to, "--kind", "cogx", *arguments)
    return [record for row in COGX.parse(Source(to)) for record in row]


def filled(run: Run, folder: Path) -> Path:
    """A store with every kind of record, from files of several kinds."""
    home = folder / "home"
    home.mkdir()
    run(home, "import", archive(folder / "cognee"), "--account", "cust_1")
    run(home, "import", mail(folder, f"{HEADERS}\nYes.\n"), "--account", "cust_1")
    run(home, "import", mem0(folder / "m.json", 20))
    ours = {
        "record": "memory",
        "account_id": "cust_1",
        "kind": "fact",
        "sources": [f"cognee:{CHUNK}:1"],
        "supersedes": ["older"],
        "external_id": "newer",
        "valid_from": "2026-01-01",
    }
    older = {**ours, "external_id": "older", "sources": [], "supersedes": [], "retired_at": "2026-01-02T00:00:00Z"}
    lines = [
        {"content": "Was so", "metadata": {"flotilla": older}},
        {"content": "Is so", "metadata": {"flotilla": ours}},
    ]
    run(
        home,
        "import",
        archive(folder / "ours", {**{"manifest.json": ARCHIVE["manifest.json"]}, "memories.jsonl": jsonl(*lines)}),
    )
    return home


@mark.parametrize(("kind", "name"), [("cogx", "out"), ("cogx", "out.cogx.tar.gz"), ("markdown", "out")])
def test_what_is_exported_and_imported_into_an_empty_store_is_the_same(
    run: Run, tmp_path: Path, kind: str, name: str
) -> None:
    home, other = filled(run, tmp_path), tmp_path / "other"
    other.mkdir()
    counts = run(home, "export", tmp_path / name, "--kind", kind)["counts"]
    assert all(counts[noun] for noun in ("episodes", "memories", "entities", "relations"))
    assert run(other, "import", tmp_path / name, "--kind", kind)["counts"]["added"] == sum(counts.values())
    before, after = (exported(run, where, tmp_path / f"{where.name}.compared") for where in (home, other))
    assert sorted(map(repr, after)) == sorted(map(repr, before))


@mark.parametrize("kind", ["cogx", "markdown"])
def test_an_export_imported_where_it_came_from_adds_nothing(run: Run, tmp_path: Path, kind: str) -> None:
    home = filled(run, tmp_path)
    run(home, "export", tmp_path / "out", "--kind", kind)
    counts = run(home, "import", tmp_path / "out", "--kind", kind)["counts"]
    assert counts["added"] == 0 and counts["known"] > 20


def test_one_account_and_one_tenant_are_exported_by_themselves(run: Run, tmp_path: Path) -> None:
    home = filled(run, tmp_path)
    run(home, "import", mem0(tmp_path / "t.json", 3), "--tenant", "acme")
    assert {r.account_id for r in exported(run, home, tmp_path / "a", "--account", "user_1")} == {"user_1"}
    assert len(exported(run, home, tmp_path / "b", "--tenant", "acme")) == 3


def test_an_import_is_repeated_without_doubles_and_a_dry_run_changes_nothing(run: Run, tmp_path: Path) -> None:
    file = mem0(tmp_path / "m.json", 1200)
    assert run(tmp_path, "import", file, "--dry-run")["counts"]["added"] == 1200
    assert run(tmp_path, "import", file)["counts"] == {"added": 1200, "changed": 0, "known": 0}
    assert run(tmp_path, "import", file)["counts"]["known"] == 1200


def test_what_is_left_out_is_said(run: Run, tmp_path: Path) -> None:
    answer = run(tmp_path, "import", archive(tmp_path / "a"))
    assert answer["left_out"] == {"graph nodes": 1, "graph edges": 1}


def test_a_file_with_a_wrong_row_at_its_end_imports_nothing(run: Run, tmp_path: Path) -> None:
    file = mem0(tmp_path / "m.json", 1200)
    file.write_text(file.read_text()[:-2] + ', {"id": "x"}]}')
    assert run(tmp_path, "import", file, code=1)["problems"][0]["message"] == "it has no memory"
    run(tmp_path, "export", tmp_path / "out", "--kind", "cogx")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["counts"] == {}


def conversation(folder: Path, *said: str) -> Path:
    turns = [{"speaker": "Ann", "dia_id": f"D1:{number}", "text": text} for number, text in enumerate(said, 1)]
    sample = {"sample_id": "s1", "conversation": {"session_1_date_time": "2026-01-05", "session_1": turns}}
    (folder / "talk.json").write_text(json.dumps([sample]))
    return folder / "talk.json"


def test_a_conversation_that_went_on_is_extended_and_one_that_was_rewritten_is_refused(
    run: Run, tmp_path: Path
) -> None:
    assert run(tmp_path, "import", conversation(tmp_path, "One"))["counts"]["added"] == 1
    assert run(tmp_path, "import", conversation(tmp_path, "One", "Two"))["counts"]["changed"] == 1
    (problem,) = run(tmp_path, "import", conversation(tmp_path, "Other", "Two"), code=1)["problems"]
    assert problem["line"] == 1 and "with other turns" in problem["message"]
    (talk,) = [record for record in exported(run, tmp_path, tmp_path / "out") if isinstance(record, Episode)]
    assert [turn.text for turn in talk.turns] == ["One", "Two"]


def test_what_is_imported_is_found_with_its_citation(run: Run, tmp_path: Path) -> None:
    run(tmp_path, "import", mail(tmp_path, f"{HEADERS}\nWe want twelve months.\n"), "--account", "cust_1")

    async def ask() -> Any:
        async with Client(create_server(Settings.load({"home": tmp_path}))) as client:
            asked = {"query": "how many months", "account_id": "cust_1"}
            return answer_of(await client.call_tool("search_account_history", asked))

    (hit,) = asyncio.run(ask())["items"]
    assert "twelve months" in hit["text"]


def test_names_of_nothing_but_marks_stop_nothing(run: Run, tmp_path: Path) -> None:
    odd = ["\u0301", "🙂", "!!!", "\u200b"]
    rows = [{"type": "entity", "name": name, "entityType": "x", "observations": ["seen"]} for name in odd]
    rows += [{"type": "relation", "from": odd[0], "to": odd[1], "relationType": "knows"}]
    (tmp_path / "g.jsonl").write_text(jsonl(*rows))
    assert run(tmp_path, "import", tmp_path / "g.jsonl")["counts"]["added"] >= 4


def test_a_kind_that_cannot_be_told_has_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("[1]")
    assert cli.main("flotilla_memory", ["--home", str(tmp_path), "import", str(tmp_path / "x.json")]) == 2
    assert "give --kind cogx|mem0|server-memory|markdown|email|locomo" in capsys.readouterr().err


def test_a_person_at_a_terminal_sees_a_bar(tmp_path: Path) -> None:
    command = [*programs.command("flotilla-memory"), "import", mem0(tmp_path / "many.json", 300)]
    code, shown = at_terminal(command, {**clean_environment(tmp_path), "TERM": "xterm", "COLUMNS": "100"})
    assert code == 0 and "many.json" in shown and "%" in shown and "imported 300 records" in shown

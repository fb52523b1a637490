"""The kit's exports: all of a store at one moment, in a new place that is whole or not there."""

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from flotilla_kit import cli
from flotilla_kit.exports import Exporter, Progress, export_to
from flotilla_kit.storage import Database
from pytest import mark, raises
from sqlalchemy import Connection, text


def write(connection: Connection, path: Path, options: Mapping[str, str], progress: Progress) -> Mapping[str, int]:
    number = connection.execute(text("SELECT 7")).scalar_one()
    path.mkdir()
    (path / "page.txt").write_text(f"{number} {options.get('account')}")
    progress.advance()
    return {"pages": 1}


async def export(url: str, exporter: Exporter, path: Path) -> Mapping[str, int]:
    database = await Database.open(url, [])
    try:
        return await export_to(database, exporter, path, {"account": "a"}, Progress())
    finally:
        await database.close()


async def test_an_export_is_there_as_a_whole_and_for_its_owner_alone(database_url: str, tmp_path: Path) -> None:
    assert await export(database_url, Exporter("pages", write), tmp_path / "out") == {"pages": 1}
    assert (tmp_path / "out" / "page.txt").read_text() == "7 a"
    for path in (tmp_path / "out", tmp_path / "out" / "page.txt"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


async def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(connection: Connection, path: Path, options: Mapping[str, str], progress: Progress) -> Mapping[str, int]:
        write(connection, path, options, progress)
        raise OSError("the disk is full")

    folder = tmp_path / "to"
    folder.mkdir()
    with raises(OSError, match="full"):
        await export(f"sqlite:///{tmp_path}/a.db", Exporter("pages", fail), folder / "out")
    assert not list(folder.iterdir())


@mark.parametrize("kind", ["file", "folder", "link"])
async def test_nothing_that_exists_is_written_over(tmp_path: Path, kind: str) -> None:
    there = tmp_path / "out"
    if kind == "folder":
        there.mkdir()
    elif kind == "link":
        there.symlink_to(tmp_path / "nowhere")
    else:
        there.write_text("mine")
    with raises(FileExistsError, match="exists already"):
        await export(f"sqlite:///{tmp_path}/a.db", Exporter("pages", write), there)


def test_a_server_that_exports_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main("flotilla_billing", ["--home", str(tmp_path), "export", str(tmp_path / "out")]) == 2
    assert "this server exports nothing" in capsys.readouterr().err

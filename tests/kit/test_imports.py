"""The kit's imports: every problem with its place, all of a file or nothing, whatever the format of the file."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flotilla_kit import imports
from flotilla_kit.imports import (
    BadRow,
    Cells,
    Format,
    Importer,
    ImportRefused,
    ImportStopped,
    Loaded,
    Problem,
    Row,
    Rows,
    Source,
    batches,
    read_csv,
)
from flotilla_kit.imports.importer import import_into
from flotilla_kit.imports.source import LONGEST_LINE
from flotilla_kit.storage import Database
from hypothesis import given
from hypothesis import strategies as st
from pytest import mark, raises
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, insert, select

_metadata = MetaData()
people = Table("people", _metadata, Column("name", Text, primary_key=True), Column("age", Integer))


def read_people(source: Source) -> Iterable[Row[Cells] | Problem]:
    return read_csv(source, required=("name", "age"), other_names={"full name": "name"}, name="a list of people")


def check(cells: Cells) -> tuple[str, int]:
    if not cells["age"].isdecimal():
        raise BadRow("age '{value}' is not a whole number", column="age", value=cells["age"])
    return cells["name"], int(cells["age"])


def load(connection: Connection, rows: Rows[tuple[str, int]]) -> Loaded:
    known = {row.name: row.age for row in connection.execute(select(people))}
    added = same = 0
    for batch in batches(rows, 3):
        new = [{"name": row.values[0], "age": row.values[1]} for row in batch if row.values[0] not in known]
        for row in batch:
            if known.get(row.values[0], row.values[1]) != row.values[1]:
                rows.refuse(row, BadRow("{value} has another age here", column="name", value=row.values[0]))
        if new:
            connection.execute(insert(people), new)
        added, same = added + len(new), same + len(batch) - len(new)
    return Loaded(added, 0, same)


PEOPLE = Format("people", read_people, check, key=lambda person: person[0])
IMPORTER = Importer(PEOPLE, load)


def problems(text: str | Path, columns: dict[str, str] | None = None) -> list[str]:
    with raises(ImportRefused) as refused:
        PEOPLE.parse(Source(text, columns))
    return refused.value.lines()


@pytest.fixture
async def database(database_url: str) -> Any:
    """An empty table of people, once on SQLite and once on PostgreSQL."""
    opened = await Database.open(database_url, [])
    await opened.write(_metadata.create_all)
    yield opened
    await opened.close()


async def kept(database: Database) -> dict[str, int]:
    return {row.name: row.age for row in await database.read(lambda c: c.execute(select(people)).all())}


async def test_a_file_is_imported_once_however_often_it_is_given(database: Database) -> None:
    text = "name,age\n" + "".join(f"p{n},{n}\n" for n in range(10))
    first = await import_into(database, IMPORTER, Source(text))
    again = await import_into(database, IMPORTER, Source(text))
    assert (first.added, again.added, again.known) == (10, 0, 10)
    assert len(await kept(database)) == 10


async def test_a_row_that_is_wrong_at_the_end_keeps_out_those_loaded_before_it(database: Database) -> None:
    text = "name,age\n" + "".join(f"p{n},{n}\n" for n in range(10)) + "last,old\n"
    with raises(ImportRefused, match="line 12: age 'old' is not a whole number"):
        await import_into(database, IMPORTER, Source(text))
    assert await kept(database) == {}


async def test_rows_that_contradict_the_store_are_named_with_those_that_are_wrong(database: Database) -> None:
    await import_into(database, IMPORTER, Source("name,age\nann,7\nbob,8\n"))
    with raises(ImportRefused) as refused:
        await import_into(database, IMPORTER, Source("name,age\ncat,x\nann,9\neve,1\nbob,9\n"))
    assert [problem.line for problem in refused.value.problems] == [2, 3, 5]
    assert await kept(database) == {"ann": 7, "bob": 8}


async def test_a_dry_run_says_what_would_happen_and_keeps_nothing(database: Database) -> None:
    await import_into(database, IMPORTER, Source("name,age\nann,7\n"))
    would = await import_into(database, IMPORTER, Source("name,age\nann,7\nbob,8\n"), dry_run=True)
    assert (would.added, would.known) == (1, 1)
    assert await kept(database) == {"ann": 7}
    with raises(ImportRefused, match="ann has another age here"):
        await import_into(database, IMPORTER, Source("name,age\nann,8\n"), dry_run=True)


async def test_an_import_that_is_stopped_leaves_nothing(database: Database) -> None:
    source, read = Source("name,age\n" + "".join(f"p{n},{n}\n" for n in range(1000))), 0

    def advance() -> None:
        nonlocal read
        read += 1
        if read == 500:
            source.stop()

    with raises(ImportStopped):
        await import_into(database, IMPORTER, source, advance=advance)
    assert read == 500 and await kept(database) == {}


async def test_a_loader_that_leaves_rows_unread_imports_nothing(database: Database) -> None:
    def lazy(connection: Connection, rows: Rows[tuple[str, int]]) -> Loaded:
        name, age = next(iter(rows)).values
        connection.execute(insert(people).values(name=name, age=age))
        return Loaded(1, 0, 0)

    with raises(RuntimeError, match="left rows unread"):
        await import_into(database, Importer(PEOPLE, lazy), Source("name,age\nann,7\nbob,8\n"))
    assert await kept(database) == {}


def test_problems_beyond_fifty_are_counted() -> None:
    said = problems("name,age\n" + "p,x\n" * 120)
    assert len(said) == 51 and said[-1] == "and 70 more"


def test_a_machine_is_told_the_place_and_no_value_of_the_file() -> None:
    with raises(ImportRefused) as refused:
        PEOPLE.parse(Source("name,age\nann,secret\n"))
    (problem,) = refused.value.problems
    assert problem.as_dict() == {"line": 2, "column": "age", "message": "age is not a whole number"}


def test_a_value_is_shown_to_a_person_without_what_moves_a_cursor() -> None:
    (said,) = problems("name,age\nann,\x1b[2Jold\u202e" + "x" * 100 + "\n")
    assert "\x1b" not in said and "\u202e" not in said and len(said) < 120


@mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"name,age\n", "the file has no people"),
        (b"name,age\n , \n", "the file has no people"),
        (b"name\nann\n", "line 1: this is not a list of people; it lacks the columns age"),
        (b"name,age,AGE\nann,1,2\n", "line 1: the column 'age' stands twice"),
        (b"name,age\nann,1\ncaf\xe9,2\n", "line 3: this is not UTF-8 text"),
        ("name,age\nann,1\n".encode("utf-16"), "this is UTF-16 text; save the file as UTF-8"),
        (b"name,age\nann,1\n\0,2\n", "line 3: there is a NUL character"),
        (b"name,age\nann,1,2\nbob\n", "line 2: it has more or fewer cells (3) than the header (2)"),
        (b"name,age\n" + b"x" * (LONGEST_LINE + 1), f"line 2: this line has more than {LONGEST_LINE} characters"),
        (b"name,age\n" + b"x" * 200_000 + b",1\n", "line 2: field larger than field limit (131072)"),
        (b'name,age\n"ann,1\n' + b"bob,1\n" * 40_000, "field larger than field limit (131072); is a quote not closed?"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_such_file_is_refused_in_words(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "people.csv").write_bytes(content)
    assert said in problems(tmp_path / "people.csv")[0]


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    assert problems(tmp_path) == ["this is a folder, not a file"]
    assert problems(tmp_path / "none.csv") == ["there is no such file"]


@mark.parametrize("end", ["\n", "\r\n", "\r"])
@mark.parametrize("mark_", ["", "\ufeff"])
def test_every_end_of_line_and_a_byte_order_mark_are_read(tmp_path: Path, end: str, mark_: str) -> None:
    (tmp_path / "people.csv").write_bytes(f"{mark_}Full Name;Age{end} ann ; 7{end}{end}bob;8".encode())
    assert PEOPLE.parse(Source(tmp_path / "people.csv")) == [("ann", 7), ("bob", 8)]


def test_columns_of_another_vendor_are_mapped() -> None:
    text = "Wer,Alter,name\nann,7,x\n"
    assert PEOPLE.parse(Source(text, {"alter": "age"})) == [("x", 7)]
    assert problems(text)[0].startswith("line 1")
    assert PEOPLE.parse(Source("Wer,Alter\nann,7\n", {"wer": "name", "alter": "age"})) == [("ann", 7)]


def test_a_row_given_twice_counts_once_and_with_other_values_is_refused() -> None:
    assert PEOPLE.parse(Source("name,age\nann,7\nann,7\n")) == [("ann", 7)]
    assert problems("name,age\nann,7\nbob,1\nann,8\n") == ["line 4: ann stands in line 2 with other values"]


def test_a_format_need_not_be_csv() -> None:
    def read(source: Source) -> Iterator[Row[Any] | Problem]:
        for number, line in enumerate(source.lines(), 1):
            try:
                yield Row(number, json.loads(line))
            except ValueError:
                yield Problem(number, "this is not JSON")

    notes = Format[Any, str]("notes", read, lambda note: note["text"])
    assert notes.parse(Source('{"text": "a"}\n{"text": "b"}')) == ["a", "b"]
    with raises(ImportRefused, match="line 2: this is not JSON"):
        notes.parse(Source('{"text": "a"}\n{"te'))


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1).filter(str.strip), st.integers(0)
        ),
        min_size=1,
        unique_by=lambda person: person[0].strip(),
    )
)
def test_whatever_is_written_as_csv_is_read_back_with_its_lines(written: list[tuple[str, int]]) -> None:
    quoted = [f'"{name.replace(chr(34), chr(34) * 2)}",{age}' for name, age in written]
    text = "name,age\r\n" + "\r\n".join(quoted) + "\r\n"
    rows = list(PEOPLE.rows(Source(text)))
    assert [row.values for row in rows] == [(name.strip(), age) for name, age in written]
    # The line it starts in: as many ends of lines as stand before it.
    begun = ["name,age\r\n" + "".join(f"{line}\r\n" for line in quoted[:n]) for n in range(len(quoted))]
    ends = [len(before.replace("\r\n", "\n").replace("\r", "\n").split("\n")) for before in begun]
    assert [row.line for row in rows] == ends


IN_PARTS = Importer(PEOPLE, load, rows_per_commit=4)


async def test_what_is_committed_in_parts_is_all_there_and_known_again(database: Database, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name,age\n" + "".join(f"p{n},{n}\n" for n in range(12)))
    first = await import_into(database, IN_PARTS, Source(tmp_path / "people.csv"))
    again = await import_into(database, IN_PARTS, Source(tmp_path / "people.csv"))
    assert (first.added, again.added, again.known) == (12, 0, 12)
    assert len(await kept(database)) == 12


async def test_a_file_that_is_wrong_at_its_end_is_refused_before_its_first_part(database: Database) -> None:
    text = "name,age\n" + "".join(f"p{n},{n}\n" for n in range(10)) + "last,old\n"
    with raises(ImportRefused, match="line 12") as refused:
        await import_into(database, IN_PARTS, Source(text))
    assert refused.value.committed == 0 and await kept(database) == {}


async def test_a_part_that_contradicts_the_store_ends_the_import_and_those_before_it_stay(database: Database) -> None:
    await import_into(database, IMPORTER, Source("name,age\np9,0\n"))
    with raises(ImportRefused, match="line 11: p9 has another age here") as refused:
        await import_into(database, IN_PARTS, Source("name,age\n" + "".join(f"p{n},{n}\n" for n in range(20))))
    assert refused.value.committed == 8
    assert await kept(database) == {"p9": 0, **{f"p{n}": n for n in range(8)}}


async def test_an_import_in_parts_that_is_stopped_goes_on_from_there(database: Database) -> None:
    text, read = "name,age\n" + "".join(f"p{n},{n}\n" for n in range(20)), 0
    source = Source(text)

    def advance() -> None:
        nonlocal read
        read += 1
        if read == 20 + 10:  # the first twenty were the check
            source.stop()

    with raises(ImportStopped) as stopped:
        await import_into(database, IN_PARTS, source, advance=advance)
    assert stopped.value.committed == len(await kept(database)) == 8
    assert (await import_into(database, IN_PARTS, Source(text))).added == 12


async def test_a_dry_run_in_parts_keeps_nothing(database: Database) -> None:
    would = await import_into(database, IN_PARTS, Source("name,age\nann,7\nbob,8\n"), dry_run=True)
    assert would.added == 2 and await kept(database) == {}


async def test_what_can_be_read_only_once_is_imported_in_one_transaction(database: Database, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = asyncio.to_thread(pipe.write_text, "name,age\n" + "".join(f"p{n},{n}\n" for n in range(9)) + "last,old\n")
    importing = import_into(database, IN_PARTS, Source(pipe))
    _, ended = await asyncio.gather(writing, importing, return_exceptions=True)
    assert isinstance(ended, ImportRefused) and await kept(database) == {}


KILLED = """
import asyncio, os, sys
from pathlib import Path
from flotilla_kit.imports import Source
from flotilla_kit.imports.importer import import_into
from flotilla_kit.storage import Database
sys.path.insert(0, sys.argv[3])
import test_imports as t

async def main():
    database = await Database.open(sys.argv[1], [])
    await database.write(t._metadata.create_all)
    def advance():
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), 9)
    await import_into(database, t.IN_PARTS, Source(Path(sys.argv[2])), advance=advance)

left = int(sys.argv[4])
asyncio.run(main())
"""


@mark.parametrize("rows_read", [5, 20 + 1, 20 + 11, 20 + 20])
async def test_a_killed_import_in_parts_goes_on_without_doubles(rows_read: int, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name,age\n" + "".join(f"p{n},{n}\n" for n in range(20)))
    url = f"sqlite:///{tmp_path}/people.db"
    command = [sys.executable, "-c", KILLED, url, tmp_path / "people.csv", Path(__file__).parent, str(rows_read)]
    killed = await asyncio.to_thread(subprocess.run, command, capture_output=True)
    assert killed.returncode == -9, killed.stderr.decode()
    database = await Database.open(url, [])
    whole_parts = max(0, rows_read - 20 - 1) // 4 * 4
    assert len(await kept(database)) == whole_parts
    again = await import_into(database, IN_PARTS, Source(tmp_path / "people.csv"))
    assert (again.added, again.known) == (20 - whole_parts, whole_parts)
    assert len(await kept(database)) == 20
    await database.close()


def test_a_folder_is_one_source_and_its_problems_name_the_file(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "secret.csv"
    (folder / "b").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    outside.write_text("name,age\neve,1\n")
    (folder / "b" / "two.csv").write_text("name,age\nbob,x\n")
    (folder / "one.csv").write_text("name,age\nann,7\n")
    (folder / ".hidden" / "no.csv").write_text("name,age\nno,1\n")
    (folder / "link.csv").symlink_to(outside)
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "inside.csv").symlink_to(folder / "one.csv")

    def read(source: Source) -> Iterator[Row[Cells] | Problem]:
        for file in source.files(lambda path: path.suffix == ".csv"):
            for row in read_people(file):
                yield row if isinstance(row, Problem) else Row(row.line, row.values, file.name)

    source = Source(folder)
    with raises(ImportRefused) as refused:
        Format("people", read, check).parse(source)
    assert refused.value.lines() == ["b/two.csv, line 2: age 'x' is not a whole number"]
    assert refused.value.problems[0].as_dict()["file"] == "b/two.csv"
    assert source.left_out == {"links out of the folder, and what is no file": 2}


def test_a_million_rows_are_never_in_one_list() -> None:
    held = 0

    def read(source: Source) -> Iterator[Row[int]]:
        nonlocal held
        del source
        for number in range(1, 5001):
            held += 1
            yield Row(number, number)

    def take(connection: Connection, rows: Rows[int]) -> Loaded:
        nonlocal held
        del connection
        most = 0
        for batch in batches(rows, 100):
            most, held = max(most, held), held - len(batch)
        return Loaded(most, 0, 0)

    numbers = Importer(Format("numbers", read, lambda number: number), take)
    assert imports.load(None, numbers, Source("")).added == 100  # type: ignore[arg-type]  # it touches no database

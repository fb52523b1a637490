"""Answers of a size: every item and every character exactly once, each page within what the guard lets pass."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from fastmcp.tools import tool
from flotilla_kit import tools
from flotilla_kit.errors import AnswerTooLarge, InvalidCursor
from flotilla_kit.paging import (
    Cursor,
    Page,
    answer_bytes,
    decode_cursor,
    encode_cursor,
    fetch_page_within,
    page_within,
    piece_within,
    slice_within,
)
from flotilla_kit.server import build_server
from flotilla_kit.tools import READ
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pytest import raises
from support.answers import answer_of
from support.till import Settings, TillStore

BUDGET = 1024


class Note(BaseModel):
    number: int
    text: str


def at(note: Note) -> tuple[int]:
    return (note.number,)


def cut(note: Note, room: int) -> Note:
    """As much of its text as surely fits."""
    return Note(number=note.number, text=note.text[: max(0, room - 60) // 6])


texts = st.text(st.characters(codec="utf-8"), max_size=400)
notes = st.lists(texts, max_size=40).map(lambda said: [Note(number=n, text=text) for n, text in enumerate(said)])
limits = st.integers(1, 10)


def start_of(cursor: str | None) -> int:
    return int(decode_cursor(cursor, int)[0]) + 1 if cursor is not None else 0


def joined(pages: Sequence[Page[Note]]) -> list[int]:
    return [note.number for page in pages for note in page.items]


@given(notes, limits)
def test_every_item_comes_once_and_every_page_fits(written: list[Note], limit: int) -> None:
    pages: list[Page[Note]] = []
    cursor = None
    while cursor is not None or not pages:
        pages.append(page_within(written[start_of(cursor) :], BUDGET, at, limit=limit, shorten=cut))
        cursor = pages[-1].next_cursor
        assert answer_bytes(pages[-1]) <= BUDGET and len(pages[-1].items) <= limit
        assert pages[-1].items or not written
    assert joined(pages) == list(range(len(written)))


@given(notes, limits, st.integers(1, 7))
def test_what_is_fetched_in_batches_makes_the_same_pages(written: list[Note], limit: int, batch: int) -> None:
    async def all_of(start: int) -> Page[Note]:
        async def fetch(last: Note | None) -> list[Note]:
            first = start if last is None else last.number + 1
            return written[first : first + batch]

        return await fetch_page_within(fetch, BUDGET, at, limit=limit, shorten=cut)

    cursor, more = None, True
    while more:
        fetched = asyncio.run(all_of(start_of(cursor)))
        assert fetched == page_within(written[start_of(cursor) :], BUDGET, at, limit=limit, shorten=cut)
        cursor = fetched.next_cursor
        more = cursor is not None


@given(st.lists(st.text(max_size=100), max_size=40), limits)
def test_a_computed_list_comes_in_slices(written: list[str], limit: int) -> None:
    found: list[str] = []
    cursor, more = None, True
    while more:
        page = slice_within(written, BUDGET, cursor, limit=limit)
        assert answer_bytes(page) <= BUDGET
        found, cursor = [*found, *page.items], page.next_cursor
        more = cursor is not None
    assert found == written


def test_as_many_as_fit_are_in_a_page_and_no_more_than_one_is_taken_beyond() -> None:
    taken: list[int] = []

    def written() -> Any:
        for number in range(1000):
            taken.append(number)
            yield Note(number=number, text="x" * 70)

    page = page_within(written(), BUDGET, at)
    assert len(taken) == len(page.items) + 1 and BUDGET - 100 < answer_bytes(page) <= BUDGET


def test_an_item_too_large_for_any_page_is_refused() -> None:
    with raises(AnswerTooLarge):
        page_within([Note(number=1, text="x" * BUDGET)], BUDGET, at)
    with raises(AnswerTooLarge):
        page_within([Note(number=1, text="x" * BUDGET)], BUDGET, at, shorten=lambda note, room: note)


@given(st.text(st.characters(codec="utf-8"), max_size=3000), st.integers(8, 500))
def test_pieces_join_and_each_fits(text: str, budget: int) -> None:
    pieces: list[str] = []
    offset: int | None = 0
    while offset is not None:
        piece, after = piece_within(text, offset, budget)
        assert answer_bytes(piece) <= budget and (piece or not text)
        assert after is None or after == offset + len(piece)
        pieces.append(piece)
        offset = after
    assert "".join(pieces) == text


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L"]), max_size=30), min_size=50, max_size=200))
def test_a_piece_ends_with_a_whole_line(lines: list[str]) -> None:
    text = "".join(f"{line}\r\n" for line in lines)
    offset: int | None = 0
    while offset is not None:
        piece, offset = piece_within(text, offset, 100)
        assert piece.endswith("\r\n")


def test_an_offset_beyond_the_end_is_an_empty_piece() -> None:
    assert piece_within("abc", 7, 100) == ("", None)


@tool(annotations=READ)
async def list_notes(cursor: Cursor | None = None) -> Page[Note]:
    """Notes, as many as may be answered."""
    written = [Note(number=number, text='"é\n' * number) for number in range(60)]
    return page_within(written[start_of(cursor) :], tools.most_bytes(), at)


async def test_the_guard_lets_a_full_page_pass(tmp_path: Path) -> None:
    settings = Settings.load({"home": tmp_path, "answer_bytes": 1024})
    server = build_server(settings, TillStore(settings), instructions="", tools=[list_notes])
    found: list[int] = []
    async with Client[FastMCPTransport](server) as client:
        cursor, more = None, True
        while more:
            result = await client.call_tool("list_notes", {"cursor": cursor}, raise_on_error=False)
            page = answer_of(result)
            assert len(result.content[0].text.encode()) <= 1024  # pyright: ignore  # it is text
            found += [note["number"] for note in page["items"]]
            cursor = page["next_cursor"]
            more = cursor is not None
    assert found == list(range(60))


@pytest.mark.parametrize("cursor", ["", "x", encode_cursor("a"), encode_cursor(1, 2)])
def test_a_cursor_of_something_else_is_refused(cursor: str) -> None:
    with raises(InvalidCursor):
        slice_within(["a"], BUDGET, cursor)

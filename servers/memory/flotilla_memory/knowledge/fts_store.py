"""Knowledge over a folder, indexed in memory with SQLite's FTS5. The files are the truth; the index follows them."""

import re
import sqlite3
import time
from pathlib import Path

from flotilla_kit.errors import InvalidArguments, InvalidCursor, NotFound, StoreEmpty
from flotilla_kit.paging import Page, decode_cursor, encode_cursor

from ..settings import Settings
from . import folder
from .folder import Stamp
from .markdown import excerpt, parse
from .models import Hit, Listed, uri_of

SHOWN = 2_000  # characters of a section in a hit
HEADING = 500  # characters of a heading in a hit
WORDS = 40  # of a query that are looked for
LOOK_SHARE = 0.05  # of the time that may go into looking for changed files, in a folder that is large:
LARGE_S = 0.005  # of the processor's time to look through it, which others that want the processor do not lengthen
# bm25 weights of document_id, title, heading, text: a word in a heading says more than one in the text.
_SEARCH = """
    SELECT rowid, document_id, title, heading, text, first_line, last_line, -bm25(sections, 0, 4, 3, 1) AS score
    FROM sections WHERE sections MATCH ? ORDER BY bm25(sections, 0, 4, 3, 1), rowid LIMIT ? OFFSET ?"""
# The 64 words (FTS5's most) that fit best, with no marks: a piece of the text as it is. One section at a time, as
# SQLite would make it for every match before it sorts them.
_PASSAGE = "SELECT snippet(sections, 3, '', '', '', 64) FROM sections WHERE sections MATCH ? AND rowid = ?"


class FtsKnowledgeStore:
    """A `KnowledgeStore` over the Markdown files of one folder."""

    # Made by open(), anew each time.
    _index: sqlite3.Connection
    _stamps: dict[str, Stamp]
    _documents: dict[str, tuple[Listed, str]]
    _look_again_at: float

    def __init__(self, settings: Settings) -> None:
        self._folder: Path | None = settings.knowledge_folder
        self._generation = 0

    async def open(self) -> None:
        self._stamps, self._documents, self._look_again_at = {}, {}, 0.0
        self._index = sqlite3.connect(":memory:", check_same_thread=False)
        self._index.execute(
            "CREATE VIRTUAL TABLE sections USING fts5(document_id UNINDEXED, title, heading, text, "
            "first_line UNINDEXED, last_line UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2')"
        )

    async def close(self) -> None:
        self._index.close()

    async def search(self, query: str, limit: int, cursor: str | None) -> Page[Hit]:
        self._require_documents()
        # Each word quoted: nothing in a query is FTS5 syntax.
        words = [f'"{word}"' for word in re.findall(r"\w+", query)[:WORDS]]
        if not words:
            raise InvalidArguments("The query has no words.", suggestion="Ask with the words a document would use.")
        start = 0
        if cursor is not None:
            generation, start = (int(part) for part in decode_cursor(cursor, int, int))
            if generation != self._generation or start < 0:
                raise InvalidCursor("The documents changed since that page.", suggestion="Search again from the start.")
        match = " OR ".join(words)
        rows = self._index.execute(_SEARCH, (match, limit + 1, start)).fetchall()
        more = encode_cursor(self._generation, start + limit) if len(rows) > limit else None
        return Page[Hit](items=[self._hit(match, row) for row in rows[:limit]], next_cursor=more)

    def _hit(self, match: str, found: tuple[int, str, str, str, str, int, int, float]) -> Hit:
        row, document_id, title, heading, text, first, last, score = found
        shown = text
        if len(text) > SHOWN:
            (passage,) = self._index.execute(_PASSAGE, (match, row)).fetchone()
            start, end = excerpt(text, text.find(passage), SHOWN)
            first = last - text.count("\n", start)
            shown = text[start:end]
            last = first + shown.count("\n")
        return Hit(
            document_id=document_id,
            title=title,
            section=heading[:HEADING],
            text=shown,
            truncated=len(text) > SHOWN,
            score=round(score, 3),
            uri=uri_of(document_id),
            lines=f"{first}-{last}",
        )

    async def get_document(self, document_id: str) -> tuple[str, str]:
        self._require_documents()
        if document_id not in self._documents:
            raise NotFound("There is no such document.", suggestion="search_knowledge finds documents and their ids.")
        listed, text = self._documents[document_id]
        return listed.title, text

    async def list_documents(self) -> list[Listed]:
        self._follow()
        return [listed for _, (listed, _) in sorted(self._documents.items())]

    def _require_documents(self) -> None:
        self._follow()
        if not self._documents:
            raise StoreEmpty(
                "There are no documents." if self._folder else "No folder of documents is set.",
                suggestion="FOLDER holds Markdown files. With --demo-data instead it has a sample.",
                command=("--knowledge", "FOLDER"),
            )

    def _follow(self) -> None:
        """Bring the index in step with the files: look at every stamp, read only what changed."""
        started, worked = time.monotonic(), time.thread_time()
        if self._folder is None or started < self._look_again_at:
            return
        stamps = folder.scan(self._folder)
        gone = [known for known, stamp in self._stamps.items() if stamps.get(known) != stamp]
        new = [found for found, stamp in stamps.items() if self._stamps.get(found) != stamp]
        if gone or new:
            self._generation += 1
            for document_id in gone:
                self._forget(document_id)
            for document_id in new:
                self._add(document_id, stamps[document_id])
            self._stamps = stamps
        now, is_large = time.monotonic(), time.thread_time() - worked > LARGE_S
        # A small folder is looked at on every call; a large one as often as its share of the time allows.
        self._look_again_at = now + (now - started) / LOOK_SHARE if is_large and not (gone or new) else 0.0

    def _forget(self, document_id: str) -> None:
        if self._documents.pop(document_id, None):
            self._index.execute("DELETE FROM sections WHERE document_id = ?", (document_id,))

    def _add(self, document_id: str, stamp: Stamp) -> None:
        text = folder.read(document_id, stamp)
        if text is None:
            return
        parsed = parse(text, document_id.rpartition("/")[2])
        listed = Listed(document_id=document_id, title=parsed.title, summary=parsed.summary)
        self._documents[document_id] = listed, text
        self._index.executemany(
            "INSERT INTO sections VALUES (?, ?, ?, ?, ?, ?)",
            [(document_id, parsed.title, s.heading, s.text, s.first_line, s.last_line) for s in parsed.sections],
        )

"""Markdown notes: a file or a folder of them, as Obsidian, Logseq and people keep them; and our own export in Markdown.

A note is an episode of the channel `note`, its paragraphs as turns. Front matter (`key: value` lines between `---`, as
https://jekyllrb.com/docs/front-matter/ has it) may name the account (`account`, `account_id`, `customer_id`), when it
was (`date`, `created`, `occurred_at`), `title`, `author`, `channel` and `id`; whatever else it says is the note's first
turn. Without a date it is the day that the file's name begins with, or else when the file was last changed. A note is
known again by its `id` or path, and its text: one that has changed is a new episode beside the old one.

Links that lead out of the folder are not followed; hidden files and folders (`.obsidian`) are left out.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flotilla_kit import times
from flotilla_kit.imports import BadRow, Format, ImportRefused, Problem, Row, Source

from ..knowledge.markdown import after_front_matter
from ..records import Episode, Record, Turn
from . import marked, values
from .looks import head
from .marked import Marked

_SUFFIXES = (".md", ".markdown")
_LARGEST = 8 * 1024 * 1024  # bytes
_KEY = re.compile(r"([A-Za-z_][\w -]{0,60}?)\s*:(?:\s+(.*)|$)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?!\d)")
_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*")
_ACCOUNT, _DATE = ("account_id", "account", "customer_id", "customer"), ("occurred_at", "date", "created", "created_at")
_AUTHOR, _ID = ("author", "speaker"), ("id", "external_id")


@dataclass(frozen=True)
class Note:
    """A file with what is known of it beside its text."""

    name: str
    text: str
    changed_at: str
    account: str | None


def read(source: Source) -> Iterator[Row[Note | Marked] | Problem]:
    """Each note, or each record of our own export."""
    found = False
    for file in source.files(lambda path: path.suffix.lower() in _SUFFIXES):
        found = True
        if file.size > _LARGEST and not _is_marked(file):
            yield file.problem(0, f"this note has more than {_LARGEST} bytes")
            continue
        try:
            if _is_marked(file):
                yield from marked.read(file)
            elif file.size or file.path is None:
                yield Row(1, _note(file), file.name)
        except ImportRefused as refused:  # of this file; the others are looked at too
            yield from refused.problems
    if not found:
        raise ImportRefused([source.problem(0, "there are no Markdown files (.md) in this folder")])


def check(note: Note | Marked) -> tuple[Record, ...]:
    """A note as an episode, or a record of our own export.

    Raises:
        BadRow: it has no text, or its front matter names a time that is none.
    """
    if isinstance(note, Marked):
        return (marked.check(note),)
    front, body = _front_matter(note.text)
    account = note.account if note.account is not None else _first(front, _ACCOUNT) or ""
    stem = Path(note.name).stem
    dated = _DAY.match(stem)
    when = _first(front, _DATE) or (dated[0] if dated else None) or note.changed_at
    author, identifier, title = _first(front, _AUTHOR), _first(front, _ID), _first(front, ("title",))
    channel = _first(front, ("channel",)) or "note"
    rest = values.details(front)
    paragraphs = [*([rest] if rest else []), *values.passages(values.clean(body))]
    if not paragraphs:
        raise BadRow("this note has no text")
    digest = hashlib.sha256(note.text.encode()).hexdigest()[:12]
    # The end of a path tells notes apart better than its beginning.
    place = (identifier or note.name)[-(values.LONGEST_NAME - 20) :]
    return (
        Episode(
            account_id=values.name(account, "account"),
            channel=values.name(channel, "channel"),
            occurred_at=values.instant(when, "date") or note.changed_at,
            turns=tuple(Turn(author, paragraph) for paragraph in paragraphs),
            title=values.name((title or _heading(body) or stem)[: values.LONGEST_NAME], "title") or None,
            external_id=f"note:{place}@{digest}",
        ),
    )


def _note(file: Source) -> Note:
    path = file.path
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC) if path is not None else datetime.now(UTC)
    name = file.name or (path.name if path is not None else "note.md")
    # A name need not be UTF-8; what stands for its other bytes is no text.
    return Note(values.clean(name), file.text().replace("\r\n", "\n"), times.utc(changed), file.options.get("account"))


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """What it says, by key in lower case, and the text below."""
    lines = text.split("\n")
    start = after_front_matter(lines)
    if not start:
        return {}, text
    said: dict[str, str] = {}
    key = ""
    for line in lines[1 : start - 1]:
        if found := _KEY.fullmatch(line.rstrip()[:4000]):
            key = found[1].strip().lower()
            said[key] = (found[2] or "").strip().strip("[]\"'")
        elif key and line.strip():  # a list or a longer text below its key
            said[key] = f"{said[key]}, {line.strip().removeprefix('-').strip()}".removeprefix(", ")
    return said, "\n".join(lines[start:])


def _first(front: dict[str, str], keys: tuple[str, ...]) -> str | None:
    """Takes the first of some keys out of the front matter."""
    found = next((key for key in keys if front.get(key)), None)
    return values.clean(front.pop(found)) if found else None


def _heading(body: str) -> str | None:
    first = next((line for line in body.split("\n") if line.strip()), "")
    found = _HEADING.fullmatch(first.strip()[:1000])
    return found[1] if found else None


def _is_marked(file: Source) -> bool:
    return file.path is not None and head(file.path).startswith(marked.BEGINNING)


def _recognises(path: Path) -> bool:
    if path.is_dir():
        return not (path / "manifest.json").exists() and any(
            file.suffix.lower() in _SUFFIXES for file in [*path.iterdir(), *path.glob("*/*")]
        )
    return path.suffix.lower() in _SUFFIXES


NOTES = Format[Note | Marked, tuple[Record, ...]]("records", read, check, kind="markdown", recognises=_recognises)

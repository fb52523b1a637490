"""Markdown that says records whole: each under a comment `<!-- flotilla {…} -->`, which is not seen on the page.

Below the comment come a line for people, an empty one, and the record's text as it is, up to the next comment. An
episode has no text of its own; its turns follow, each under `<!-- flotilla {"turn": 1, …} -->`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from flotilla_kit.imports import BadRow, Problem, Row, Source

from ..records import Entity, Episode, Memory, Record, Relation
from . import record_json, values
from .values import Object

BEGINNING = "<!-- flotilla "
_MARK = re.compile(r"<!-- flotilla (\{.*\}) -->\r?\n?")
_LIKE_A_MARK = re.compile(r"(^|[\n\r])(\\*<!-- flotilla )")
_ESCAPED = re.compile(r"(^|[\n\r])\\(\\*<!-- flotilla )")
_MOST_TEXT = 8 * 1024 * 1024  # characters of a record


@dataclass
class Marked:
    """A record as it stands in a page: what its comment says, its text, and an episode's turns."""

    values: Object
    account: str | None = None
    text: str = ""
    turns: list["Marked"] = field(default_factory=list["Marked"])


def write(record: Record) -> str:
    """A record as Markdown."""
    said = record_json.dump(record)
    if isinstance(record, Episode):
        said.pop("turns", None)
        place = " · ".join(_line(part) for part in (record.channel, record.occurred_at[:16].replace("T", " ")) if part)
        title = f"# {_line(record.title or record.channel)} ({place})"
        turns = [
            _block(
                {
                    "turn": number,
                    **({"speaker": turn.speaker} if turn.speaker is not None else {}),
                    **({"occurred_at": turn.occurred_at} if turn.occurred_at else {}),
                },
                f"**{_line(turn.speaker)}**" if turn.speaker else "",
                turn.text,
            )
            for number, turn in enumerate(record.turns, 1)
        ]
        return _block(said, title, "") + "".join(turns)
    if isinstance(record, Memory):
        said.pop("text", None)
        return _block(said, f"**{_line(record.subject or record.kind)}**", record.text)
    return _block(said, _of_graph(record), "")


def read(source: Source) -> Iterator[Row[Marked] | Problem]:
    """Each record of a page that `write` wrote, perhaps changed by hand since."""
    current: Row[Marked] | None = None
    mark_line, lines, length = 0, list[str](), 0
    innermost: Marked | None = None

    def finish() -> None:
        if innermost is not None:
            innermost.text = _ESCAPED.sub(r"\1\2", "".join(lines).removesuffix("\n").removesuffix("\n"))

    for number, line in enumerate(source.lines(), 1):
        if not line.startswith(BEGINNING):
            # The two lines below a comment are for people.
            if number > mark_line + 2 and mark_line:
                lines.append(line)
                length += len(line)
                if length > _MOST_TEXT:
                    yield source.problem(mark_line, f"this record has more than {_MOST_TEXT} characters")
                    return
            continue
        finish()
        lines, length, mark_line = [], 0, number
        said = _said(line)
        if said is None or ("turn" in said and (current is None or current.values.values.get("record") != "episode")):
            yield source.problem(number, "this comment says no record")
            innermost = None
            continue
        innermost = Marked(said, source.options.get("account"))
        if "turn" in said and current is not None:
            current.values.turns.append(innermost)
            continue
        if current is not None:
            yield current
        current = Row(number, innermost, source.name)
    finish()
    if current is not None:
        yield current


def check(marked: Marked) -> Record:
    """The record that a page says.

    Raises:
        BadRow: it is none, or lacks its text.
    """
    whole = dict(marked.values)
    if marked.account is not None:
        whole["account_id"] = marked.account
    if whole.get("record") == "memory":
        whole["text"] = values.text(marked.text, "text")
    if whole.get("record") == "episode":
        if not marked.turns:
            raise BadRow("this episode has no turns", column="turn")
        whole["turns"] = [{**turn.values, "text": values.text(turn.text, "text")} for turn in marked.turns]
    return record_json.load(whole)


def _block(said: Object, for_people: str, text: str) -> str:
    # A comment ends at the first `-->`, also inside of JSON.
    comment = json.dumps(said, ensure_ascii=False).replace(">", "\\u003e").replace("\u2028", "\\u2028")
    body = _LIKE_A_MARK.sub(r"\1\\\2", text) + "\n\n" if text else ""
    return f"{BEGINNING}{comment} -->\n{for_people}\n\n{body}"


def _said(line: str) -> Object | None:
    found = _MARK.fullmatch(line)
    try:
        said = json.loads(found[1]) if found else None
    except (ValueError, RecursionError):
        return None
    return values.mapping(said) or None


def _of_graph(record: Entity | Relation) -> str:
    if isinstance(record, Relation):
        return f"{_line(record.subject)} {_line(record.predicate)} {_line(record.object)}"
    also = f", also {', '.join(map(_line, record.aliases))}" if record.aliases else ""
    return f"**{_line(record.name)}**{f' ({_line(record.type)})' if record.type else ''}{also}"


def _line(text: str | None) -> str:
    return " ".join((text or "").replace("<", "\\<").split())

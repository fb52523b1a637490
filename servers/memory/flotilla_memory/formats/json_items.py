"""JSON files read an item at a time: an array of any length needs no more memory than its longest item."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NoReturn, cast

from flotilla_kit.imports import ImportRefused, Problem, Row, Source

from .values import Given, Object

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def read_items(source: Source, *, keys: Collection[str] = (), longest: int = 1024 * 1024) -> Iterator[Row[Any]]:
    """The items of an array, each with the line it starts in.

    Args:
        keys: where the file is an object, which of its keys hold such arrays.
        longest: characters of an item.

    Raises:
        ImportRefused: from some line on it is no JSON, or it is another.
    """
    text = _Text(source, longest)
    if text.peek() == "[":
        yield from _items(text)
    elif keys and text.peek() == "{":
        yield from _items_of_keys(text, keys)
    else:
        text.refuse("this is no JSON list" + (f", nor an object with {' or '.join(keys)}" if keys else ""))
    if text.peek():
        text.refuse("something follows after the end of the JSON")


def read_lines(source: Source) -> Iterator[Row[Any] | Problem]:
    """The values of a file with one JSON value a line (JSONL); a line that is none is a problem."""
    for number, line in enumerate(source.lines(), 1):
        if line.strip():
            try:
                yield Row(number, json.loads(line), source.name)
            except RecursionError:
                yield source.problem(number, "this is nested too deeply")
            except ValueError:
                yield source.problem(number, "this is not JSON")


def given(rows: Iterable[Row[object] | Problem], source: Source) -> Iterator[Row[Given] | Problem]:
    """The rows that are objects, each with the account that the command line names; any other is a problem."""
    account = source.options.get("account")
    for row in rows:
        if isinstance(row, Problem):
            yield row
        elif isinstance(values := row.values, dict):
            yield Row(row.line, Given(cast(Object, values), account), row.file)
        else:
            yield Problem(row.line, "this is no object", file=row.file)


def _items(text: "_Text") -> Iterator[Row[Any]]:
    text.take("[")
    while text.peek() != "]":
        yield Row(text.line, text.value(), text.name)
        if text.peek() != "]":
            text.take(",")
    text.take("]")


def _items_of_keys(text: "_Text", keys: Collection[str]) -> Iterator[Row[Any]]:
    text.take("{")
    found = False
    while text.peek() != "}":
        key = text.value()
        text.take(":")
        if key in keys and text.peek() == "[":
            found = True
            yield from _items(text)
        else:
            text.value()
        if text.peek() != "}":
            text.take(",")
    text.take("}")
    if not found:
        text.refuse(f"this object has no list under {' or '.join(keys)}")


class _Text:
    """The text of a file from where it was read to."""

    def __init__(self, source: Source, longest: int) -> None:
        self.line, self.name = 1, source.name
        self._source, self._longest = source, longest
        self._blocks = source.blocks()
        self._held, self._at = "", 0

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            space = _SPACE.match(self._held, self._at)
            self._move(space.end() if space else self._at)
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more(1):
                return ""

    def take(self, character: str) -> None:
        """Raises `ImportRefused` if something else comes next."""
        found = self.peek()
        if found != character:
            self.refuse(f"here should be {character}" if found else "the file is cut off")
        self._move(self._at + 1)

    def value(self) -> Any:
        """The JSON value that comes next."""
        self.peek()
        while True:
            held = len(self._held) - self._at
            try:
                value, end = _DECODER.raw_decode(self._held, self._at)
            except RecursionError:
                self.refuse("this is nested too deeply")
            except ValueError:
                # Broken, or not all of it is here: twice as much of it tells, which in sum is linear.
                if held > self._longest:
                    self.refuse(f"here is no JSON, or a value of more than {self._longest} characters")
                if not self._more(max(held, 1)):
                    self.refuse("this is not JSON, or it is cut off")
            else:
                if end < len(self._held) or not self._more(1):  # a number at the end of a block may go on in the next
                    self._move(end)
                    return value

    def refuse(self, message: str) -> NoReturn:
        raise ImportRefused([self._source.problem(self.line, message)])

    def _move(self, to: int) -> None:
        self.line += self._held.count("\n", self._at, to)
        self._at = to

    def _more(self, size: int) -> bool:
        pieces = [self._held[self._at :]]
        while size > 0 and (piece := next(self._blocks, "")):
            size -= len(piece)
            pieces.append(piece)
        self._held, self._at = "".join(pieces), 0
        return len(pieces) > 1

"""What is wrong with a file: each problem with its place, in words that do not repeat the file's values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..terminal.output import visible

MOST_PROBLEMS = 50  # that are named; the others are counted
_MOST_VALUE = 40  # characters of a value that are shown
_VALUE = re.compile(r"'?\{value\}'? ?")


class BadRow(ValueError):
    """What is wrong with one row.

    Args:
        message: why, without any value of the file. `{value}` in it is where a person is shown `value`; a machine is
            told the message without it.
        column: of the file, as `check` knows it; empty where the row as a whole is wrong.
        value: what the file says.
    """

    def __init__(self, message: str, *, column: str = "", value: str = "") -> None:
        super().__init__(message)
        self.message, self.column, self.value = message, column, value


@dataclass(frozen=True)
class Problem:
    """A `BadRow` and its place. Lines count from 1; 0 stands for the file as a whole.

    `file` is which file of a folder or archive; empty where a file is imported by itself.
    """

    line: int
    message: str
    column: str = ""
    value: str = ""
    file: str = ""

    @classmethod
    def of(cls, line: int, bad: BadRow, file: str = "") -> "Problem":
        return cls(line, bad.message, bad.column, bad.value, file)

    def as_dict(self) -> dict[str, Any]:
        """`{line, column, message}`, null where there is none, and `file` of a folder's; no value of the file."""
        message = _VALUE.sub("", self.message).rstrip(": ")
        place: dict[str, Any] = {"file": self.file} if self.file else {}
        return {**place, "line": self.line or None, "column": self.column or None, "message": message}

    def __str__(self) -> str:
        """For a person: `line 3: amount: '4.999' has more decimals than USD has (2)`."""
        said = self.message.replace("{value}", visible(self.value[:_MOST_VALUE]))
        place = [*([visible(self.file)] if self.file else []), *([f"line {self.line}"] if self.line else [])]
        return f"{', '.join(place)}: {said}" if place else said


class Problems:
    """The problems of one file: the first `MOST_PROBLEMS`, and how many there are."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.count = 0

    def add(self, problem: Problem) -> None:
        self.count += 1
        if self.count <= MOST_PROBLEMS:
            self.first.append(problem)

    def refuse(self) -> None:
        """Raises `ImportRefused` if there is any."""
        if self.count:
            raise ImportRefused(
                sorted(self.first, key=lambda problem: (problem.file, problem.line)), self.count - len(self.first)
            )


class ImportRefused(Exception):
    """The import ended: `problems` says why, in the order of lines; `more` others are counted only.

    Nothing was imported, unless the importer commits in parts: then `committed` rows had been added before.
    """

    committed = 0

    def __init__(self, problems: Sequence[Problem], more: int = 0) -> None:
        self.problems, self.more = list(problems), more
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """A line for each problem, for a person."""
        return [*map(str, self.problems), *([f"and {self.more} more"] if self.more else [])]


class ImportStopped(Exception):
    """Whoever started the import stopped it; `committed` as in `ImportRefused`."""

    committed = 0

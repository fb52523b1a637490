"""Rows of a file on their way into the store: one at a time, each checked as it is asked for."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from .problems import BadRow, ImportRefused, Problem, Problems

S = TypeVar("S")
R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Row(Generic[T_co]):
    """One row, message or section, and the line (from 1) that it starts in; of a folder, in which of its files."""

    line: int
    values: T_co
    file: str = ""


class Rows(Generic[R]):
    """The rows that are well, once each, for `load` to take: none is kept, and problems are gathered on the way.

    A row that is there twice with equal values counts once; with other values it is a problem.
    """

    def __init__(
        self,
        read: Iterable[Row[S] | Problem],
        check: Callable[[S], R],
        key: Callable[[R], str] | None = None,
        advance: Callable[[], None] = lambda: None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.options = options or {}
        """What the command line says of the file, by the names of the server's `import_options`."""
        self.problems = Problems()
        self.count = 0
        """Rows that were read, the wrong ones as well."""
        self._checked: Iterator[Row[R]] = self._check(read, check, key, advance)

    def __iter__(self) -> Iterator[Row[R]]:
        return self._checked

    def refuse(self, row: Row[R], bad: BadRow) -> None:
        """For `load`: this row contradicts what the store knows. Nothing of the transaction will be kept."""
        self.problems.add(Problem.of(row.line, bad, row.file))

    def part(self, size: int) -> "Rows[R]":
        """The next rows, at most so many, for a transaction of their own."""
        part = copy(self)
        part._checked = islice(self._checked, size)
        return part

    def _check(
        self,
        read: Iterable[Row[S] | Problem],
        check: Callable[[S], R],
        key: Callable[[R], str] | None,
        advance: Callable[[], None],
    ) -> Iterator[Row[R]]:
        seen: dict[str, tuple[int, int]] = {}  # by key: the line, and a hash of the values
        try:
            for item in read:
                self.count += 1
                advance()
                if isinstance(item, Problem):
                    self.problems.add(item)
                    continue
                try:
                    row = Row(item.line, check(item.values), item.file)
                except BadRow as bad:
                    self.problems.add(Problem.of(item.line, bad, item.file))
                    continue
                if key is not None:
                    name, this = key(row.values), (row.line, hash(repr(row.values)))
                    first = seen.setdefault(name, this)
                    if first is not this:
                        if first[1] != this[1]:
                            message = f"{{value}} stands in line {first[0]} with other values"
                            self.problems.add(Problem(row.line, message, value=name))
                        continue
                yield row
        except ImportRefused as unreadable:  # from here on the file cannot be read; what was found before stands
            for problem in unreadable.problems:
                self.problems.add(problem)


def batches(rows: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Rows in lists of at most `size`, for statements that take many at once."""
    rest = iter(rows)
    while batch := list(islice(rest, size)):
        yield batch

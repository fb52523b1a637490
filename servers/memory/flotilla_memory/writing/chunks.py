"""Statements take a bounded number of values."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
SIZE = 500  # SQLite builds before 3.32 take 999


def chunks(values: Sequence[T], size: int = SIZE) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]

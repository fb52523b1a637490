"""Coordinates of the plots on the statistics page: columns by day, and bars by name, as SVG without a script."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 420, 150  # of the columns, in units of the view box
_LEFT, _BOTTOM, _TOP = 46, 22, 12
_ROW, _NAMES, _VALUES = 22, 176, 56  # of the bars: a line, room for names, room for values


@dataclass(frozen=True)
class Shape:
    """A rectangle with the text of its value."""

    x: float
    y: float
    width: float
    height: float
    label: str
    text: str


@dataclass(frozen=True)
class Tick:
    y: float
    text: str


class Columns:
    """A column for each day.

    Args:
        text: a value for people.
    """

    def __init__(self, title: str, values: Sequence[tuple[str, float]], text: Callable[[float], str]) -> None:
        self.title, self.width, self.height = title, WIDTH, HEIGHT
        self.left, self.bottom = _LEFT, HEIGHT - _BOTTOM
        self.rows = [(label, text(value)) for label, value in values]
        most = _rounded_up(max((value for _, value in values), default=0))
        room = self.bottom - _TOP
        step = (WIDTH - _LEFT) / max(1, len(values))
        self.shapes = [
            Shape(
                round(_LEFT + number * step + step * 0.14, 2),
                round(self.bottom - room * value / most, 2),
                round(step * 0.72, 2),
                round(room * value / most, 2),
                label,
                text(value),
            )
            for number, (label, value) in enumerate(values)
        ]
        self.ticks = [Tick(round(self.bottom - room * part, 2), text(most * part)) for part in (0, 0.5, 1)]
        self.labels = _some(self.shapes)

    @property
    def total(self) -> int:
        return len(self.rows)


class Bars:
    """A bar for each name, the first above."""

    def __init__(
        self, title: str, of: str, values: Sequence[tuple[str, float]], text: Callable[[float], str], most: float = 0
    ) -> None:
        self.title, self.of, self.names = title, of, _NAMES
        self.width, self.height = WIDTH, max(1, len(values)) * _ROW
        self.rows = [(label, text(value)) for label, value in values]
        longest = most or max((value for _, value in values), default=0) or 1
        room = WIDTH - _NAMES - _VALUES
        self.shapes = [
            Shape(_NAMES, number * _ROW + 4, round(room * value / longest, 2), _ROW - 8, label, text(value))
            for number, (label, value) in enumerate(values)
        ]


def by_name(
    rows: Sequence[Mapping[str, Any]], name: str, value: Callable[[Mapping[str, Any]], float | None], most: int = 12
) -> list[tuple[str, float]]:
    """The rows that have this value, as many as a plot has room for."""
    found = [(str(row[name]), amount) for row in rows if (amount := value(row)) is not None]
    return found[:most]


def _rounded_up(value: float) -> float:
    """The next 2, 4, 6, 8 or 10 with zeros, so that half of it is round as well; 2 for nothing."""
    if value <= 0:
        return 2
    size = 10 ** math.floor(math.log10(value))
    return next(step * size for step in (2, 4, 6, 8, 10) if step * size >= value * 0.999999)


def _some(shapes: Sequence[Shape]) -> list[Shape]:
    """Those that are labelled: about five, the last among them."""
    every = max(1, math.ceil(len(shapes) / 5))
    return list(shapes[::-1][::every])

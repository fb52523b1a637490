"""Coordinates of the timeline on the trace page: one lane for each agent's session, its calls below it in lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .trace_rows import Row
from .values import duration

HEAD, LINE, GAP = 24, 18, 8  # pixels: a session's own bar, a line of calls, what is between lanes
_MIN_GAP = 1 / 400  # of the whole time: calls nearer than that get lines of their own
_STEPS = (
    *(step * size for size in (0.001, 0.01, 0.1, 1) for step in (1, 2, 5)),
    *(10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 4 * 3600, 12 * 3600),
    *(days * 86_400 for days in (1, 2, 7, 28)),
)


@dataclass(frozen=True)
class Bar:
    """A span in the chart; `x`, `width` and `room` (up to what comes next in its line) are percent of its width."""

    row: Row
    x: float
    width: float
    y: int
    room: float
    wait: tuple[float, float] | None
    """x and width of the time that a person was waited for."""


@dataclass
class Lane:
    """One session (or the run, where it makes calls itself), and the calls made in it."""

    row: Row
    y: int = 0
    lines: list[list[Row]] = field(default_factory=list[list[Row]])

    @property
    def height(self) -> int:
        return HEAD + LINE * len(self.lines) + GAP

    def add(self, call: Row, gap: float) -> None:
        """Put a call into the first line that is free by then."""
        for line in self.lines:
            if line[-1].end + gap <= call.begin:
                line.append(call)
                return
        self.lines.append([call])


class Timeline:
    """Lanes with their bars, and ticks, for so many seconds."""

    def __init__(self, rows: Sequence[Row], seconds: float) -> None:
        self._seconds = max(seconds, 0.001)
        lanes = {row.span.span_id: Lane(row) for row in rows if not row.is_call}
        for call in sorted((row for row in rows if row.is_call), key=lambda row: row.begin):
            if call.agent:
                lanes[call.agent.span_id].add(call, self._seconds * _MIN_GAP)
        self.lanes = [lane for lane in lanes.values() if lane.row.span.kind == "session" or lane.lines]
        self.height = 0
        for lane in self.lanes:
            lane.y, self.height = self.height, self.height + lane.height
        self.bars = [bar for lane in self.lanes for bar in self._bars(lane)]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Position (percent) and label of each tick."""
        step = next((step for step in _STEPS if self._seconds / step <= 8), self._seconds / 8)
        return [(self._x(step * number), duration(step * number)) for number in range(1, int(self._seconds / step) + 1)]

    def _bars(self, lane: Lane) -> list[Bar]:
        bars = [self._bar(lane.row, lane.y + 4, 100)]
        for number, line in enumerate(lane.lines):
            until = [*(self._x(call.begin) for call in line[1:]), 100.0]
            y = lane.y + HEAD + LINE * number
            bars += [self._bar(call, y, end) for call, end in zip(line, until, strict=True)]
        return bars

    def _bar(self, row: Row, y: int, until: float) -> Bar:
        x, width = self._extent(row.begin, row.end)
        return Bar(row, x, width, y, round(until - x, 3), self._extent(*row.wait) if row.wait else None)

    def _extent(self, since: float, until: float) -> tuple[float, float]:
        x = self._x(since)
        return x, round(self._x(until) - x, 3)

    def _x(self, seconds: float) -> float:
        """Percent of the chart's width; what another clock puts outside the run stands at the edge."""
        return round(100 * min(max(seconds / self._seconds, 0), 1), 3)

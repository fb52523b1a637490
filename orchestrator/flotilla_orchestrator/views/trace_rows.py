"""The rows of the trace page: spans in the order of their tree, times from the start of the run, errors parsed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import JsonValue

from ..journal.journal import Run, Span, now, seconds_between
from .tree import MARKS, children_by_parent


@dataclass(frozen=True)
class Problem:
    """An error of a span; without a code where it is a plain text."""

    code: str
    message: str
    suggestion: str


@dataclass(frozen=True)
class Row:
    """A span; times are seconds since the run began, and can be negative where two clocks disagree."""

    id: str
    """Unique in the page."""
    span: Span
    agent: Span | None
    """The session that it is part of; else the run, if that is there."""
    depth: int
    begin: float
    seconds: float
    wait: tuple[float, float] | None
    """The time that a person was waited for."""
    problem: Problem | None

    @property
    def end(self) -> float:
        return self.begin + self.seconds

    @property
    def is_call(self) -> bool:
        return self.span.kind not in ("run", "session")

    @property
    def mark(self) -> str:
        return MARKS[self.span.status][0]

    @property
    def approval(self) -> dict[str, JsonValue]:
        found = self.span.attributes.get("approval")
        return found if isinstance(found, dict) else {}


def rows(run: Run, spans: Sequence[Span]) -> list[Row]:
    """Every span once, each after the one that it is part of."""
    children = children_by_parent(spans)
    ids = {span.span_id: f"s{number}" for number, span in enumerate(spans)}
    origin = next((span.started_at for span in spans if span.kind == "run"), run.started_at)
    end = run.ended_at or now()

    def walk(span: Span, agent: Span | None, depth: int) -> Iterator[Row]:
        if span.kind in ("run", "session"):
            agent = span
        begin = seconds_between(origin, span.started_at)
        seconds = max(0, seconds_between(span.started_at, span.ended_at or end))
        wait, found = _wait(span, origin, end), problem(span.attributes.get("error"))
        yield Row(ids[span.span_id], span, agent, depth, begin, seconds, wait, found)
        for child in children.get(span.span_id, ()):
            yield from walk(child, agent, depth + (span.kind == "session"))

    return [row for top in children.get(None, ()) for row in walk(top, None, 0)]


def _wait(span: Span, origin: str, end: str) -> tuple[float, float] | None:
    approval = span.attributes.get("approval")
    if not isinstance(approval, dict):
        return None
    since = seconds_between(origin, str(approval.get("asked_at") or span.started_at))
    until = seconds_between(origin, str(approval.get("decided_at") or span.ended_at or end))
    return since, max(since, until)


def problem(error: JsonValue | Any) -> Problem | None:
    """From `{code, message, suggestion}`, or from a text that may be that as JSON."""
    if not error:
        return None
    parsed: object = error
    if isinstance(error, str):
        try:
            parsed = json.loads(error)
        except ValueError:
            parsed = None
    if isinstance(parsed, dict) and "code" in parsed:
        parts = cast("dict[str, object]", parsed)
        return Problem(*(str(parts.get(key) or "") for key in ("code", "message", "suggestion")))
    return Problem("", str(error), "")

"""The trace page of a run, for a browser: it loads nothing, and no text of a model or tool can run in it."""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from pydantic import JsonValue

from ..journal.journal import Run, Span
from .result import totals
from .trace_graph import HEIGHT, WIDTH, Graph
from .trace_rows import problem, rows
from .trace_timeline import Timeline
from .values import cost, duration, guardrails_text, value_text

FOLDER = Path(__file__).parent


def page(run: Run, spans: Sequence[Span], resume_command: str | None = None) -> str:
    """The page as HTML.

    Args:
        resume_command: resumes the run, if no process is at work on it.
    """
    return environment(FOLDER).get_template("trace.html").render(trace_context(run, spans, resume_command))


def environment(*folders: Path) -> Environment:
    """Templates of these folders, which escape whatever they are given."""
    found = Environment(loader=FileSystemLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    found.filters |= {"sha256": _sha256, "duration": duration, "cost": cost}
    found.filters |= {"pretty": _pretty, "written": value_text, "guarded": guardrails_text}
    return found


def trace_context(run: Run, spans: Sequence[Span], resume_command: str | None = None) -> dict[str, Any]:
    """What `trace_head.html` and `trace_body.html` read."""
    shown = rows(run, spans)
    # The run's own clock sets the limits: another one that is an hour off would push all else to the edge.
    whole = next((row.seconds for row in shown if row.span.kind == "run"), max((row.end for row in shown), default=0))
    return {
        "run": run,
        "resume_command": resume_command,
        "problem": problem(run.error),
        "totals": totals(list(spans)),
        "seconds": whole,
        "waited": sum(row.wait[1] - row.wait[0] for row in shown if row.wait),
        "agents": [row for row in shown if row.span.kind == "session"],
        "calls": sorted((row for row in shown if row.is_call), key=lambda row: row.begin),
        "failed": [row for row in shown if row.problem and row.span.kind != "run"],
        "timeline": Timeline(shown, whole),
        "graph": Graph(shown),
        "node": (WIDTH, HEIGHT),
    }


def _pretty(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _sha256(text: str) -> str:
    """As a Content-Security-Policy names a style or script that may stand in the page."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

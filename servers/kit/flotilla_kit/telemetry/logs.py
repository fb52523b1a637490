"""JSON logs, one object a line, on stderr only: stdout belongs to the protocol."""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_sources: list[Callable[[], Mapping[str, object]]] = []


def add_fields(source: Callable[[], Mapping[str, object]]) -> None:
    """Let every line have what this function returns when the line is written, such as the run it is about."""
    if source not in _sources:
        _sources.append(source)


def trace_fields() -> dict[str, object]:
    """The ids of the trace and span that are being recorded, if one is."""
    trace = sys.modules.get("opentelemetry.trace")  # imported here it would be paid by everybody
    context = trace.get_current_span().get_span_context() if trace else None
    if context is None or not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "event", …extra}`, with `run_id`, `trace_id` and `span_id` where there is one; a
    traceback goes under `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for source in _sources:
            line.update(source())
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str) -> None:
    """Send every logger of this process to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # FastMCP and the SDK announce every request at info; that is for debugging.
    for name in ("fastmcp", "mcp", "uvicorn", "uvicorn.access", "uvicorn.error", "httpx2", "asyncio", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(level.upper() if level == "debug" else "WARNING")

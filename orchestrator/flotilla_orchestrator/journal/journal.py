"""The journal: runs and their spans, in SQLite or PostgreSQL; listeners are called at each change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar
from uuid import UUID, uuid4

from flotilla_kit.storage import Database, Migrations
from flotilla_kit.telemetry.trace_context import span_id_for
from pydantic import JsonValue
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from .changes import forget_changes, record_change
from .queue_outbox import QUEUE_OUTBOX
from .webhook_events import WEBHOOK_EVENTS, record_finished, record_pending

P = ParamSpec("P")
T = TypeVar("T")

__all__ = [
    "RUNS",
    "SPANS",
    "Journal",
    "Run",
    "Span",
    "Status",
    "from_now",
    "now",
    "seconds_between",
    "session_id",
    "span_id_for",
]

MIGRATIONS = Migrations("journal", Path(__file__).parent / "migrations")

Status = Literal["queued", "running", "waiting", "ok", "failed", "denied", "interrupted", "cancelled"]
ENDED: tuple[Status, ...] = ("ok", "failed", "denied", "cancelled")
"""Of a run that is over; one that is interrupted is resumed."""
AT_WORK: tuple[Status, ...] = ("running", "interrupted")
"""Of a run that may be paused, and may wait for a person."""
UNFINISHED: tuple[Status, ...] = ("queued", *AT_WORK)
Kind = Literal["run", "session", "delegate", "tool", "approval"]


ASK = "(ask)"
"""The `playbook` of what `flotilla ask` records of finding playbooks; none has this name, and it cannot be resumed."""
FOLLOWED_BY = "followed_by"  # of a run's span: who asked for another turn of it


def session_id(span_id: str) -> str:
    """The id of the session with this span, for the Claude CLI and the transcript store."""
    return str(UUID(span_id))


def now() -> str:
    return from_now(0)


def from_now(seconds: float) -> str:
    """The moment so many seconds after now; before, where they are negative."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def seconds_between(start: str, end: str | None) -> float:
    """From one moment of the journal to another, or until now."""
    until = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return (until - datetime.fromisoformat(start)).total_seconds()


@dataclass
class Run:
    """One execution of a playbook. `model` is `claude` or `rehearsal`."""

    run_id: str
    playbook: str
    model: str
    task: str
    inputs: Mapping[str, JsonValue]
    status: Status = "running"
    started_at: str = field(default_factory=now)
    ended_at: str | None = None
    output: Mapping[str, JsonValue] | None = None
    error: Mapping[str, JsonValue] | None = None


@dataclass
class Span:
    """A part of a run with a start and an end: a session, a call, a question. `cost_usd` is None if unknown."""

    run_id: str
    parent_id: str | None
    kind: Kind
    name: str
    attributes: dict[str, JsonValue]
    span_id: str = field(default_factory=lambda: uuid4().hex)
    status: Status = "running"
    started_at: str = field(default_factory=now)
    ended_at: str | None = None
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None

    @property
    def seconds(self) -> float:
        """From start to end, or until now."""
        return seconds_between(self.started_at, self.ended_at)


_metadata = MetaData()
RUNS = Table(
    "runs",
    _metadata,
    Column("run_id", Text, primary_key=True),
    *(Column(name, Text) for name in ("playbook", "model", "task", "status", "started_at", "ended_at")),
    *(Column(name, JSON(none_as_null=True)) for name in ("inputs", "output", "error")),
)
SPANS = Table(
    "spans",
    _metadata,
    Column("span_id", Text, primary_key=True),
    *(Column(name, Text) for name in ("run_id", "parent_id", "kind", "name", "status", "started_at", "ended_at")),
    *(Column(name, Integer) for name in ("turns", "input_tokens", "output_tokens")),
    Column("cost_usd", Float),
    Column("attributes", JSON),
)


# Tables of other modules; here their rows are only deleted with a run.
TRANSCRIPTS = Table("transcripts", _metadata, Column("session_id", Text))
LEDGER = Table("ledger", _metadata, Column("run_id", Text))
STEERING = Table("steering", _metadata, Column("run_id", Text))
ARTIFACTS = Table("artifacts", _metadata, Column("run_id", Text))
WEBHOOK_DELIVERIES = Table("webhook_deliveries", _metadata, Column("run_id", Text))


class Journal:
    """The runs and spans. Every change is durable when the call returns; the listeners were called before that."""

    def __init__(self, database: Database, listeners: Sequence[Callable[[Span], None]] = ()) -> None:
        self.database = database
        self._listeners = listeners

    @classmethod
    async def open(
        cls,
        home: Path,
        listeners: Sequence[Callable[[Span], None]] = (),
        *,
        url: str | None = None,
        read_only: bool = False,
    ) -> Self:
        """The journal in `home/journal.db`, or in the PostgreSQL database at `url`.

        Raises:
            flotilla_kit.errors.StoreUnavailable: it cannot be opened.
        """
        url = url or f"sqlite:///{home / 'journal.db'}"
        # A process whose database has gone has lost its leases with it, and ends instead of waiting.
        database = await Database.open(url, [MIGRATIONS], read_only=read_only, restart_s=0)
        return cls(database, listeners)

    async def close(self) -> None:
        await self.database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def begin_run(self, run: Run) -> None:
        """Record that a run begins, or is resumed."""
        run.status, run.ended_at, run.error = "running", None, None
        begun = await self.database.write(_begin, RUNS, RUNS.c.run_id == run.run_id, asdict(run))
        run.started_at = begun["started_at"]

    async def end_run(self, run: Run) -> None:
        run.ended_at = now()
        await self.database.write(_end_run, asdict(run))

    async def begin(self, span: Span) -> Span:
        """Record that a span begins, or, if its id is known, continues; it then has what is recorded of it."""
        begun = await self.database.write(_begin_span, asdict(span))
        for name, value in begun.items():
            setattr(span, name, value)
        self._notify(span)
        return span

    async def change(self, span: Span) -> None:
        self._notify(span)
        await self.database.write(_change_span, asdict(span))

    async def end(self, span: Span, status: Status) -> None:
        span.status, span.ended_at = status, now()
        await self.change(span)

    async def run(self, run_id: str) -> Run | None:
        """The run with this id; `last` is the newest."""
        return await self.database.read(_run, run_id)

    async def span(self, span_id: str) -> Span | None:
        return await self.database.read(_span, span_id)

    async def spans(self, run_id: str) -> list[Span]:
        """A run's spans in the order they began."""
        return await self.database.read(_spans_of, run_id)

    async def query(self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `f(connection, …)` reads of `RUNS` and `SPANS`, in one transaction."""
        return await self.database.read(f, *args, **kwargs)

    async def delete_run(self, run_id: str) -> None:
        """Remove a run and its spans."""
        await self.database.write(_delete_run, run_id)

    def _notify(self, span: Span) -> None:
        for listener in self._listeners:
            listener(span)


def _begin(connection: Connection, table: Table, which: Any, row: dict[str, Any]) -> Mapping[str, Any]:
    """The row, inserted unless it is there, then marked as running."""
    known = connection.execute(select(table).where(which)).mappings().one_or_none()
    if known is None:
        _insert(connection, table, row)
        return row
    again = {**(row if known["status"] == "queued" else known), "status": "running", "ended_at": None}
    connection.execute(update(table).where(which).values(again))
    return again


def _begin_span(connection: Connection, row: dict[str, Any]) -> Mapping[str, Any]:
    begun = _begin(connection, SPANS, SPANS.c.span_id == row["span_id"], row)
    record_change(connection, row["run_id"], row["span_id"])
    return begun


def _change_span(connection: Connection, row: dict[str, Any]) -> None:
    _update(connection, SPANS, SPANS.c.span_id == row["span_id"], row)
    record_change(connection, row["run_id"], row["span_id"])
    record_pending(connection, row)


def _end_run(connection: Connection, row: dict[str, Any]) -> None:
    _update(connection, RUNS, RUNS.c.run_id == row["run_id"], row)
    record_finished(connection, row)


def _insert(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    connection.execute(insert(table), row)


def _update(connection: Connection, table: Table, which: Any, row: dict[str, Any]) -> None:
    connection.execute(update(table).where(which), row)


def _delete_run(connection: Connection, run_id: str) -> None:
    sessions = connection.scalars(select(SPANS.c.span_id).where(SPANS.c.run_id == run_id, SPANS.c.kind == "session"))
    session_ids = [session_id(span_id) for span_id in sessions]
    connection.execute(delete(TRANSCRIPTS).where(TRANSCRIPTS.c.session_id.in_(session_ids)))
    forget_changes(connection, run_id)
    for table in (LEDGER, STEERING, ARTIFACTS, WEBHOOK_EVENTS, WEBHOOK_DELIVERIES, QUEUE_OUTBOX, SPANS, RUNS):
        connection.execute(delete(table).where(table.c.run_id == run_id))


def _run(connection: Connection, run_id: str) -> Run | None:
    query = select(RUNS).order_by(RUNS.c.started_at.desc()).limit(1)
    if run_id != "last":
        query = query.where(RUNS.c.run_id == run_id)
    row = connection.execute(query).mappings().one_or_none()
    return Run(**row) if row else None


def _span(connection: Connection, span_id: str) -> Span | None:
    row = connection.execute(select(SPANS).where(SPANS.c.span_id == span_id)).mappings().one_or_none()
    return Span(**row) if row else None


def _spans_of(connection: Connection, run_id: str) -> list[Span]:
    query = select(SPANS).where(SPANS.c.run_id == run_id).order_by(SPANS.c.started_at, SPANS.c.kind)
    return [Span(**row) for row in connection.execute(query).mappings()]

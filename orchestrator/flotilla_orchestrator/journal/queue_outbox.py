"""Workflows that are to be put into the queue: each is written with its run, and removed once it is there.

Whoever is killed in between loses nothing: the next process puts it there.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from pydantic import JsonValue
from sqlalchemy import JSON, Column, Connection, MetaData, Table, Text, delete, insert, select

_metadata = MetaData()
QUEUE_OUTBOX = Table(
    "queue_outbox",
    _metadata,
    Column("workflow_id", Text, primary_key=True),
    *(Column(name, Text) for name in ("run_id", "name", "written_at")),
    Column("arguments", JSON),
)


@dataclass(frozen=True)
class QueuedWorkflow:
    """A workflow that is to be put into the queue of runs."""

    name: str
    workflow_id: str
    run_id: str
    arguments: list[JsonValue]


def add_to_outbox(connection: Connection, workflow: QueuedWorkflow, written_at: str) -> None:
    connection.execute(insert(QUEUE_OUTBOX), {**asdict(workflow), "written_at": written_at})


def outbox(connection: Connection, before: str, most: int) -> list[QueuedWorkflow]:
    """The oldest of what was written before a moment."""
    columns = [QUEUE_OUTBOX.c[name] for name in ("name", "workflow_id", "run_id", "arguments")]
    query = select(*columns).where(QUEUE_OUTBOX.c.written_at < before).order_by(QUEUE_OUTBOX.c.written_at)
    return [QueuedWorkflow(**row) for row in connection.execute(query.limit(most)).mappings()]


def remove_from_outbox(connection: Connection, workflow_ids: Collection[str]) -> None:
    connection.execute(delete(QUEUE_OUTBOX).where(QUEUE_OUTBOX.c.workflow_id.in_(workflow_ids)))


def is_in_outbox(connection: Connection, run_id: str | None = None) -> bool:
    """Whether anything of this run, or of any, is there."""
    query = select(QUEUE_OUTBOX.c.workflow_id).limit(1)
    return connection.scalar(query if run_id is None else query.where(QUEUE_OUTBOX.c.run_id == run_id)) is not None

"""The order in which the spans of a run have changed, so that whoever follows it goes on where they have stopped."""

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, column, delete, select, table, text

CHANGES = Table(
    "span_changes",
    MetaData(),
    Column("span_id", Text, primary_key=True),
    Column("run_id", Text),
    Column("seq", Integer),
)
_RUNS = table("runs", column("run_id"))
_RECORD = text(
    "INSERT INTO span_changes (span_id, run_id, seq) VALUES (:span_id, :run_id, "
    "(SELECT coalesce(max(seq), 0) + 1 FROM span_changes WHERE run_id = :run_id)) "
    "ON CONFLICT (span_id) DO UPDATE SET seq = excluded.seq"
)


def record_change(connection: Connection, run_id: str, span_id: str) -> None:
    """The span was changed in this transaction; one that commits later has a higher number."""
    connection.execute(select(_RUNS.c.run_id).where(_RUNS.c.run_id == run_id).with_for_update(key_share=True))
    connection.execute(_RECORD, {"span_id": span_id, "run_id": run_id})


def forget_changes(connection: Connection, run_id: str) -> None:
    connection.execute(delete(CHANGES).where(CHANGES.c.run_id == run_id))

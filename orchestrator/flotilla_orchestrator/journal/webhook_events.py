"""The events of runs that webhooks are told of: written in the transaction that makes them true."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from flotilla_kit.storage.statements import insert_new
from sqlalchemy import JSON, Column, Connection, Integer, MetaData, Table, Text

from ..config.fields import TOOL_NAME

_metadata = MetaData()
WEBHOOK_EVENTS = Table(
    "webhook_events",
    _metadata,
    Column("event_id", Text, primary_key=True),
    *(Column(name, Text) for name in ("run_id", "type", "happened_at")),
    Column("data", JSON),
    Column("dispatched", Integer),
)
_NAMESPACE = UUID("f07111a0-0000-4000-8000-000000000001")
_FINISHED = ("ok", "failed", "denied", "cancelled")  # not `interrupted`: it is resumed


def record_finished(connection: Connection, run: Mapping[str, Any]) -> None:
    """`run.finished`, if the row of a run says that it has ended for good."""
    if run["status"] in _FINISHED:
        data = {"status": run["status"], "started_at": run["started_at"], "ended_at": run["ended_at"]}
        data["error_code"] = run["error"]["code"] if run["error"] else None
        _record(connection, run["run_id"], "run.finished", run["ended_at"], run["ended_at"], data)


def record_pending(connection: Connection, span: Mapping[str, Any]) -> None:
    """`approval.pending`, if the row of a span says that a person has to decide; once for each approval."""
    approval = span["attributes"].get("approval")
    if span["status"] == "waiting" and approval:
        call = TOOL_NAME.fullmatch(str(span["attributes"].get("tool")))
        names = {"server": call["server"], "tool": call["tool"]} if call else {"step": span["name"]}
        data = {"approval_id": approval["approval_id"], **names}
        _record(connection, span["run_id"], "approval.pending", approval["approval_id"], approval["asked_at"], data)


def _record(connection: Connection, run_id: str, kind: str, what: str, happened_at: str, data: dict[str, Any]) -> None:
    event_id = uuid5(_NAMESPACE, "/".join((run_id, kind, what))).hex
    row = {"event_id": event_id, "run_id": run_id, "type": kind, "happened_at": happened_at, "data": data}
    insert_new(connection, WEBHOOK_EVENTS, [{**row, "dispatched": 0}])

"""The deliveries of events to webhooks: pending until one succeeds, dead once none is to be tried any more."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, and_, or_, select, update

from ..errors import Failure
from .journal import FOLLOWED_BY, RUNS, SPANS, from_now, now, span_id_for
from .webhook_events import WEBHOOK_EVENTS

State = Literal["pending", "delivered", "dead"]

_MOST_AT_ONCE = 100  # events of one transaction
_FORGOTTEN_S = 86_400  # what happened longer ago, while nothing dispatched, is news to nobody
_COLUMNS = ("delivery_id", "run_id", "webhook", "type", "body", "state", "due_at", "created_at", "ended_at", "error")
_DELIVERIES = Table(
    "webhook_deliveries",
    MetaData(),
    *(Column(name, Text, primary_key=name == "delivery_id") for name in _COLUMNS),
    Column("attempts", Integer),
)


@dataclass(frozen=True)
class Delivery:
    """One event for one webhook.

    Attributes:
        body: what is sent, as it is signed.
        attempts: how many were made.
        due_at: when the next one is, of a pending delivery; ISO 8601, UTC, as all times.
        error: why the last one failed.
    """

    delivery_id: str
    run_id: str
    webhook: str
    type: str
    body: str
    state: State
    attempts: int
    due_at: str
    created_at: str
    ended_at: str | None
    error: str | None


def has_work(connection: Connection) -> bool:
    """Whether events are to be dispatched, or deliveries to be made, now."""
    events = select(WEBHOOK_EVENTS.c.event_id).where(WEBHOOK_EVENTS.c.dispatched == 0).limit(1)
    return connection.scalar(events) is not None or connection.scalar(_due().limit(1)) is not None


def dispatch(connection: Connection, webhooks: Mapping[str, Sequence[str]]) -> None:
    """Make a delivery of each new event for each webhook that wants it.

    Args:
        webhooks: the types of events, by the webhook's name.
    """
    query = select(WEBHOOK_EVENTS).where(WEBHOOK_EVENTS.c.dispatched == 0).order_by(WEBHOOK_EVENTS.c.happened_at)
    query = query.limit(_MOST_AT_ONCE).with_for_update(skip_locked=True)
    events = connection.execute(query).mappings().all()
    oldest = from_now(-_FORGOTTEN_S)
    rows: list[dict[str, Any]] = []
    for event in events:
        names = [name for name, types in webhooks.items() if event["type"] in types]
        if names and event["happened_at"] >= oldest:
            body = _body(connection, dict(event))
            rows += [_row(dict(event), name, body) for name in names]
    if rows:
        connection.execute(_DELIVERIES.insert(), rows)
    done = WEBHOOK_EVENTS.c.event_id.in_([event["event_id"] for event in events])
    connection.execute(update(WEBHOOK_EVENTS).where(done).values(dispatched=1))


def claim(connection: Connection, most: int, lease_s: float) -> list[Delivery]:
    """So many of the deliveries that are due; for so long nobody else gets them, unless they are recorded before."""
    rows = connection.execute(_due().limit(most).with_for_update(skip_locked=True)).mappings().all()
    ids = [row["delivery_id"] for row in rows]
    until = from_now(lease_s)
    connection.execute(update(_DELIVERIES).where(_DELIVERIES.c.delivery_id.in_(ids)).values(due_at=until))
    return [Delivery(**row) for row in rows]


def record_attempt(connection: Connection, delivery_id: str, error: str | None, retry_after_s: float | None) -> None:
    """An attempt was made.

    Args:
        error: why it failed; None: it has succeeded.
        retry_after_s: None: it is the last one.
    """
    values: dict[str, Any] = {"attempts": _DELIVERIES.c.attempts + 1, "error": error}
    if error is None or retry_after_s is None:
        values |= {"state": "dead" if error else "delivered", "ended_at": now()}
    else:
        values["due_at"] = from_now(retry_after_s)
    connection.execute(update(_DELIVERIES).where(_DELIVERIES.c.delivery_id == delivery_id).values(values))


def retry(connection: Connection, delivery_id: str) -> Delivery:
    """Have a dead delivery tried again, as often as a new one.

    Raises:
        Failure: `unknown_delivery`, `delivery_not_dead`.
    """
    which = _DELIVERIES.c.delivery_id == delivery_id
    again = update(_DELIVERIES).where(which, _DELIVERIES.c.state == "dead")
    changed = connection.execute(again.values(state="pending", attempts=0, due_at=now(), ended_at=None)).rowcount
    row = connection.execute(select(_DELIVERIES).where(which)).mappings().one_or_none()
    if row is None:
        raise Failure("unknown_delivery", f"There is no delivery {delivery_id}.", "See GET /v1/webhooks/deliveries.")
    if not changed:
        raise Failure("delivery_not_dead", f"{delivery_id} is {row['state']}.", "Only a dead one is tried again.")
    return Delivery(**row)


def deliveries(
    connection: Connection, state: State | None, limit: int, after: tuple[str, str] | None = None
) -> list[Delivery]:
    """The newest.

    Args:
        after: only those that come after the one that was made then and has this id.
    """
    made, delivery_id = _DELIVERIES.c.created_at, _DELIVERIES.c.delivery_id
    query = select(_DELIVERIES).order_by(made.desc(), delivery_id.desc()).limit(limit)
    if state:
        query = query.where(_DELIVERIES.c.state == state)
    if after:
        query = query.where(or_(made < after[0], and_(made == after[0], delivery_id < after[1])))
    return [Delivery(**row) for row in connection.execute(query).mappings()]


def _due() -> Any:
    return (
        select(_DELIVERIES)
        .where(_DELIVERIES.c.state == "pending", _DELIVERIES.c.due_at <= now())
        .order_by(_DELIVERIES.c.due_at)
    )


def _body(connection: Connection, event: dict[str, Any]) -> str:
    run_id = event["run_id"]
    playbook = connection.scalar(select(RUNS.c.playbook).where(RUNS.c.run_id == run_id))
    attributes: dict[str, Any] = (
        connection.scalar(select(SPANS.c.attributes).where(SPANS.c.span_id == span_id_for(run_id))) or {}
    )
    people = {name: attributes.get(name) for name in ("requested_by", FOLLOWED_BY) if attributes.get(name)}
    data = {"run_id": run_id, "playbook": playbook, **people, **event["data"]}
    return json.dumps({"type": event["type"], "timestamp": event["happened_at"], "data": data}, separators=(",", ":"))


def _row(event: dict[str, Any], webhook: str, body: str) -> dict[str, Any]:
    return {
        "delivery_id": f"whd_{event['event_id'][:24]}_{webhook}",
        "run_id": event["run_id"],
        "webhook": webhook,
        "type": event["type"],
        "body": body,
        "state": "pending",
        "attempts": 0,
        "due_at": now(),
        "created_at": now(),
    }

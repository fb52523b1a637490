"""The table of external effects: a row for each, from its reservation to its settlement.

    reserved ──▶ performing ──┬──▶ done      the other system did it
                  ▲     │     ├──▶ failed    it refused, for good
                  │     ▼     │
                  └─ unknown ─┘              no definite answer: found out before anything is repeated

`performing` is committed before the request leaves: what is still `reserved` was never sent, and what a process left as
`performing` is taken up again as `unknown`. A lease keeps two drivers apart. Each function is for one transaction.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Column, Connection, Integer, MetaData, Row, Table, Text, insert, or_, select, update

from .. import times
from .effect import Effect, record
from .faults import point

State = Literal["reserved", "performing", "unknown", "done", "failed"]
Settled = Literal["done", "failed"]
UNSETTLED = ("reserved", "performing", "unknown")
_LONGEST_ERROR = 500

external_effects = Table(
    "external_effects",
    MetaData(),
    Column("effect_id", Text, primary_key=True),
    *(Column(name, Text) for name in ("server", "principal", "run", "tool", "key", "digest", "request", "state")),
    Column("attempts", Integer),
    *(Column(name, Text) for name in ("created_at", "updated_at", "performed_at", "lease_owner", "lease_until")),
    *(Column(name, Text) for name in ("outcome", "last_error")),
)
x = external_effects.c


@dataclass(frozen=True)
class ExternalEffect:
    """An effect in another system, as it stands."""

    effect_id: str
    """The key that every request for it carries, ever."""
    tool: str
    request: Mapping[str, Any]
    state: State
    attempts: int
    created_at: datetime
    performed_at: datetime | None
    """When a request for it last left; None if none did."""
    outcome: dict[str, Any] | None
    """`done`: the other system's answer. `failed`: its refusal, as `FlotillaError.as_dict` says it."""

    @property
    def settled(self) -> bool:
        return self.state not in UNSETTLED


def reserve(
    connection: Connection,
    server: str,
    effect: Effect,
    effect_id: str,
    request: Mapping[str, Any],
    answer: Mapping[str, Any],
    *,
    owner: str,
    lease_s: float,
) -> None:
    """Write down what is to happen elsewhere, in place of `effects.record`: the last thing its transaction does.

    Args:
        answer: what `effects.recorded` is to say to a repeat.

    Raises:
        sqlalchemy.exc.IntegrityError: as `effects.record`.
    """
    current = _now()
    connection.execute(
        insert(external_effects).values(
            effect_id=effect_id,
            server=server,
            principal=effect.principal,
            run=effect.run,
            tool=effect.tool,
            key=effect.key,
            digest=effect.digest,
            request=json.dumps(dict(request)),
            state="reserved",
            attempts=0,
            created_at=times.utc(current),
            updated_at=times.utc(current),
            lease_owner=owner,
            lease_until=times.utc(current + timedelta(seconds=lease_s)),
        )
    )
    record(connection, effect, answer)
    point("reserving")


def take(
    connection: Connection, effect_id: str, owner: str, lease_s: float, may_perform: Callable[[ExternalEffect], bool]
) -> ExternalEffect | None:
    """Lease an unsettled effect; it comes back as `performing` if a request for it may leave, else as `unknown`.

    Returns:
        None if it is settled, or somebody else holds the lease.
    """
    current = _now()
    free = or_(x.lease_owner == owner, x.lease_until < times.utc(current))
    ours = (x.effect_id == effect_id, x.state.in_(UNSETTLED), free)
    row = connection.execute(select(external_effects).where(*ours).with_for_update()).one_or_none()
    if row is None:
        return None
    found = _read(row)
    if found.state == "reserved" or may_perform(found):
        taken = replace(found, state="performing", attempts=found.attempts + 1, performed_at=current)
    else:
        taken = replace(found, state="unknown", attempts=found.attempts + 1)
    connection.execute(
        update(external_effects)
        .where(x.effect_id == effect_id)
        .values(
            state=taken.state,
            attempts=taken.attempts,
            performed_at=taken.performed_at and times.utc(taken.performed_at),
            updated_at=times.utc(current),
            lease_owner=owner,
            lease_until=times.utc(current + timedelta(seconds=lease_s)),
        )
    )
    return taken


def settle(connection: Connection, effect_id: str, state: Settled, outcome: Mapping[str, Any]) -> ExternalEffect | None:
    """Write the definite answer, once; None if it was settled before."""
    settled = (
        update(external_effects)
        .where(x.effect_id == effect_id, x.state.in_(UNSETTLED))
        .values(state=state, outcome=json.dumps(dict(outcome)), updated_at=times.utc(_now()), last_error=None)
    )
    return get(connection, effect_id) if connection.execute(settled).rowcount == 1 else None


def leave_unknown(connection: Connection, effect_id: str, owner: str, why: str, pause_s: float) -> None:
    """Say that there was no definite answer; others leave it alone for `pause_s`, its owner may ask again at once."""
    current = _now()
    connection.execute(
        update(external_effects)
        .where(x.effect_id == effect_id, x.state.in_(UNSETTLED), x.lease_owner == owner)
        .values(
            state="unknown",
            last_error=why.encode("utf-8", "replace").decode().replace("\0", "")[:_LONGEST_ERROR],
            updated_at=times.utc(current),
            lease_until=times.utc(current + timedelta(seconds=pause_s)),
        )
    )


def overdue(connection: Connection, server: str, limit: int) -> list[str]:
    """Unsettled effects of a server that nobody is driving, the longest neglected first."""
    free = (x.server == server, x.state.in_(UNSETTLED), x.lease_until < times.utc(_now()))
    return list(connection.scalars(select(x.effect_id).where(*free).order_by(x.lease_until).limit(limit)))


def get(connection: Connection, effect_id: str) -> ExternalEffect:
    """One effect that was reserved."""
    return _read(connection.execute(select(external_effects).where(x.effect_id == effect_id)).one())


def _read(row: Row[Any]) -> ExternalEffect:
    return ExternalEffect(
        effect_id=row.effect_id,
        tool=row.tool,
        request=json.loads(row.request),
        state=row.state,
        attempts=row.attempts,
        created_at=datetime.fromisoformat(row.created_at),
        performed_at=row.performed_at and datetime.fromisoformat(row.performed_at),
        outcome=row.outcome and json.loads(row.outcome),
    )


def _now() -> datetime:
    return datetime.now(UTC)

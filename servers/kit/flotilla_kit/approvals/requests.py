"""Approvals: a dangerous effect waits until another principal agrees to exactly these arguments, once.

A row binds server, requester, run, tool and the SHA-256 of the canonical arguments; never a token. It is used up in the
effect's own transaction, so neither a crash nor a race can use it twice.

    pending ──▶ approved ──▶ consumed
       │            └──────▶ rejected (withdrawn before use)
       ├──────▶ rejected
       └──────▶ expired
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Row, Table, Text, func, insert, select, update
from sqlalchemy.sql import ColumnElement

from .. import times
from ..effects import Effect, Evaluated, faults
from ..errors import IdempotencyKeyRequired, NotFound
from ..identity.principal import OWNER, Principal
from .approval import PREFIX, Approval, Decision, State
from .errors import ApprovalDecided, ApprovalMismatch, ApprovalNeeded, SelfApproval, TooManyApprovals

MOST_PENDING = 10  # of one requester in one run: a person who is asked more often than that only nods
MOST_IN_ALL = 100

_approvals = Table(
    "approvals",
    MetaData(),
    Column("number", Integer, primary_key=True),
    *(
        Column(name, Text)
        for name in (
            *("approval_id", "server", "requester", "run", "tool", "digest", "arguments", "facts", "state"),
            *("created_at", "expires_at", "decided_at", "decided_by", "reason", "consumed_at"),
        )
    ),
)
a = _approvals.c


def require(
    connection: Connection, effect: Effect, *, needed: bool, facts: Mapping[str, Any], bound: str = ""
) -> Effect:
    """Clear an effect to happen in this transaction; call it after the locks and checks, before any change.

    Args:
        needed: what the tool's own rule says; the caller's mandate can only add to it.
        facts: what a person needs in order to decide, computed here; nothing that the requester wrote.
        bound: the fact that an approval is of, such as the uid of an object: with another one it takes another.

    Returns:
        The effect to record, its approval used up if it needed one.

    Raises:
        ApprovalNeeded: there is no approval of exactly this that is still good.
        IdempotencyKeyRequired: no approval is needed, and nothing else makes the effect safe to repeat.
        Evaluated: it was only being evaluated.
    """
    needed = needed or effect.approval_required
    if effect.mode == "evaluating":
        raise Evaluated(needed=needed, facts=facts, bound=bound)
    # Looked for also where none is needed (any more): what was asked for once must not be there to be had again.
    is_of_another = bool(bound) and not _is_of(_latest(connection, effect), facts, bound)
    approval_id = "" if is_of_another else _use(connection, effect)
    if needed and not approval_id:
        raise ApprovalNeeded(facts, bound)
    if not (key := effect.key or approval_id):
        raise IdempotencyKeyRequired(
            f"{effect.tool} changes something and this call carries no key that makes it safe to repeat.",
            suggestion="Pass idempotency_key: any text of your own, the same one when you repeat the call.",
        )
    if not approval_id:
        _forget(connection, effect)
    return replace(effect, key=key, mode="cleared")


def was_used(connection: Connection, effect: Effect) -> bool:
    """Whether the last approval of exactly this effect is used up."""
    latest = _latest(connection, effect)
    return latest is not None and latest.state == "consumed"


def _is_of(approval: Row[Any] | None, facts: Mapping[str, Any], bound: str) -> bool:
    if not bound or approval is None:
        return True
    was = json.loads(approval.facts).get(bound)
    # Without the fact it was of what was not there yet; if it is used, that is what it made.
    return was == facts.get(bound) or (was is None and approval.state == "consumed")


def _use(connection: Connection, effect: Effect) -> str:
    """Use up the approval of exactly this effect; its id, or nothing if there is none that is good."""
    used = update(_approvals).where(*_of(effect), a.state == "approved", a.expires_at > times.now())
    consumed = used.values(state="consumed", consumed_at=times.now()).returning(a.approval_id)
    return connection.execute(consumed).scalar() or ""


def _forget(connection: Connection, effect: Effect) -> None:
    """Nobody needs to decide any more what happens without it."""
    connection.execute(update(_approvals).where(*_of(effect), a.state == "pending").values(state="expired"))


def ask(
    connection: Connection,
    effect: Effect,
    facts: Mapping[str, Any],
    expires_h: float,
    *,
    anew: bool = False,
    bound: str = "",
) -> Approval:
    """The approval of exactly this effect as it stands, requested now if there is none.

    Args:
        anew: ask again for what was approved and used before, and beside what is approved for other arguments.
        bound: as of `require`; what was asked for, or approved, with another such fact is over.

    Raises:
        ApprovalMismatch: one that is approved and unused is for other arguments.
        TooManyApprovals: this requester has too many in this run.
    """
    latest = _latest(connection, effect)
    if latest is not None and not _is_of(latest, facts, bound):
        over = update(_approvals).where(a.number == latest.number, a.state.in_(["pending", "approved"]))
        connection.execute(over.values(state="expired"))
    elif latest is not None:
        open_, good = latest.state in ("pending", "approved"), latest.expires_at > times.now()
        if open_ and not good:
            # Told once as expired; whoever asks after that starts afresh.
            connection.execute(update(_approvals).where(a.number == latest.number).values(state="expired"))
            if not anew:
                return _approval(latest)
        elif open_ and latest.state == "pending":
            # What a person reads is how things are now, not when it was first asked.
            connection.execute(
                update(_approvals).where(a.number == latest.number).values(facts=json.dumps(dict(facts)))
            )
            return _approval(latest).model_copy(update={"facts": dict(facts)})
        elif open_ or (latest.state == "rejected" and good) or (latest.state == "consumed" and not anew):
            return _approval(latest)
    if not anew:
        _refuse_other_arguments(connection, effect)
    _refuse_too_many(connection, effect)
    now = datetime.now(UTC)
    approval = Approval(
        approval_id=f"{PREFIX}{secrets.token_hex(10)}",
        state="pending",
        requester=effect.principal,
        run=effect.run,
        tool=effect.tool,
        arguments=dict(effect.arguments),
        facts=dict(facts),
        created_at=times.utc(now),
        expires_at=times.utc(now + timedelta(hours=expires_h)),
    )
    row = approval.model_dump()
    row |= {"arguments": json.dumps(row["arguments"]), "facts": json.dumps(row["facts"])}
    connection.execute(insert(_approvals).values(**row, server=effect.server, digest=effect.digest))
    faults.point("requesting")
    return approval


def decide(
    connection: Connection, server: str, approval_id: str, approver: Principal, decision: Decision, reason: str
) -> Approval:
    """Approve or reject a pending request, or withdraw an approval that is not used yet.

    Raises:
        NotFound: no such approval.
        SelfApproval: the approver is who asked, or no approver at all.
        ApprovalDecided: it was decided, used or expired before.
    """
    row = _row(connection, server, approval_id)
    if approver.kind != "approver" or approver.subject == row.requester:
        raise SelfApproval(
            "Whoever asks cannot decide.", suggestion="Let a person with an approver's token decide.", details={}
        )
    states = ["pending"] if decision == "approve" else ["pending", "approved"]
    decided = connection.execute(
        update(_approvals)
        .where(a.number == row.number, a.state.in_(states), a.expires_at > times.now())
        .values(
            state="approved" if decision == "approve" else "rejected",
            decided_at=times.now(),
            decided_by=approver.subject,
            reason=reason or None,
        )
    )
    now = get(connection, server, approval_id)
    if decided.rowcount != 1:
        raise ApprovalDecided(
            f"It is {now.state} already; nothing was changed.",
            suggestion="" if now.state != "expired" else "Whoever asked can ask again.",
            details={"approval_id": approval_id, "state": now.state, "decided_by": now.decided_by},
        )
    return now


def get(connection: Connection, server: str, approval_id: str, requester: tuple[str, str] | None = None) -> Approval:
    """One approval of a server's; with `requester` (subject and run), only one of theirs. Raises NotFound."""
    row = _row(connection, server, approval_id)
    if requester not in (None, (row.requester, row.run)):
        raise _missing(approval_id)
    return _approval(row)


def find(connection: Connection, server: str, state: State | None, limit: int, before: int | None) -> Sequence[Any]:
    """Newest first: `(number, Approval)` of a server, in one state if given, with numbers below `before`."""
    wanted = select(_approvals).where(a.server == server).order_by(a.number.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(a.number < before)
    match state:
        case None:
            pass
        case "expired":
            lapsed = a.state.in_(["pending", "approved"]) & (a.expires_at <= times.now())
            wanted = wanted.where((a.state == "expired") | lapsed)
        case "pending" | "approved":
            wanted = wanted.where(a.state == state, a.expires_at > times.now())
        case _:
            wanted = wanted.where(a.state == state)
    return [(row.number, _approval(row)) for row in connection.execute(wanted)]


def waiting(connection: Connection, server: str) -> tuple[int, str | None]:
    """How many requests of a server wait for a decision, and since when the oldest does."""
    which = (a.server == server, a.state == "pending", a.expires_at > times.now())
    number, oldest = connection.execute(select(func.count(), func.min(a.created_at)).where(*which)).one()
    return number, oldest


def _of(effect: Effect) -> Sequence[ColumnElement[bool]]:
    """What an approval must be of to be of exactly this effect."""
    return (
        a.server == effect.server,
        a.requester == effect.principal,
        a.run == effect.run,
        a.tool == effect.tool,
        a.digest == effect.digest,
    )


def _latest(connection: Connection, effect: Effect) -> Row[Any] | None:
    newest = select(_approvals).where(*_of(effect)).order_by(a.number.desc()).limit(1)
    return connection.execute(newest).one_or_none()


def _refuse_other_arguments(connection: Connection, effect: Effect) -> None:
    theirs = (a.server == effect.server, a.requester == effect.principal, a.run == effect.run, a.tool == effect.tool)
    good = (a.state == "approved", a.expires_at > times.now())
    if (row := connection.execute(select(_approvals).where(*theirs, *good).limit(1)).one_or_none()) is not None:
        raise ApprovalMismatch(
            "What was approved has other arguments; nothing was done.",
            suggestion="That withdraws the approval of other arguments; or make the call with exactly those."
            if (withdraw := _for_owner(effect, "reject", row.approval_id))
            else "Make the call with exactly the approved arguments, or have that approval withdrawn first.",
            details={"approval_id": row.approval_id, "approved_arguments": json.loads(row.arguments)},
            command=withdraw,
        )


def _refuse_too_many(connection: Connection, effect: Effect) -> None:
    theirs = (a.server == effect.server, a.requester == effect.principal, a.run == effect.run)
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        who = func.hashtextextended(f"{effect.server}/{effect.principal}/{effect.run}", 0)
        connection.execute(select(func.pg_advisory_xact_lock(who)))
    # A local owner has no run, so only what is still open counts for one.
    bounds = [(MOST_PENDING, (a.state == "pending", a.expires_at > times.now()))]
    bounds += [(MOST_IN_ALL, ())] if effect.run else []
    for most, which in bounds:
        if connection.execute(select(func.count()).where(*theirs, *which)).scalar_one() >= most:
            raise TooManyApprovals(
                f"There are {most} requests for approval of this run already.",
                suggestion="Wait until they are decided; ask for less at once.",
                command=_for_owner(effect, "list"),
            )


def _for_owner(effect: Effect, *words: str) -> Sequence[str] | None:
    """The sub-command that helps the owner on; a worker's request goes to an approver, by whoever runs the worker."""
    return ("approvals", *words) if effect.principal == OWNER.subject else None


def _row(connection: Connection, server: str, approval_id: str) -> Row[Any]:
    row = connection.execute(select(_approvals).where(a.server == server, a.approval_id == approval_id)).one_or_none()
    if row is None:
        raise _missing(approval_id)
    return row


def _missing(approval_id: str) -> NotFound:
    return NotFound(f"There is no approval {approval_id[:64]}.", suggestion="List them to see which there are.")


def _approval(row: Row[Any]) -> Approval:
    said = {name: getattr(row, name) for name in Approval.model_fields}
    said |= {"arguments": json.loads(row.arguments), "facts": json.loads(row.facts)}
    if row.state in ("pending", "approved") and row.expires_at <= times.now():
        said["state"] = "expired"
    return Approval(**said)

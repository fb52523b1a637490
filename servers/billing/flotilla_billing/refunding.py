"""Writes of a refund, an external effect: what its reservation and its settlement change in our own books."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flotilla_kit import approvals, effects, money, times
from flotilla_kit.effects import Effect, ExternalEffect, ExternalEffects, faults
from flotilla_kit.errors import Conflict
from sqlalchemy import Connection, Row, func, insert, select, update

from . import books, queries
from .models import Scope
from .refunds import eligibility, expected_arrival
from .rows import to_transaction
from .schema import customers, refunds, transactions

t, r = transactions.c, refunds.c


class RefundRefused(Conflict):
    code = "refund_refused"


class RefundInProgress(Conflict):
    """A caller that lost an answer and asks again under a new key would otherwise be paid twice."""

    code = "refund_in_progress"
    retryable = True


@dataclass(frozen=True)
class RefundRules:
    """What the settings say: `max_age_days` of a charge, and the amount in minor units above which a person decides."""

    max_age_days: int | None
    approval_above_minor: int


def reserve(
    connection: Connection,
    scope: Scope,
    effect: Effect,
    refund_id: str,
    external: ExternalEffects,
    transaction_id: str,
    amount_minor: int,
    currency: str,
    reason: str,
    rules: RefundRules,
) -> str:
    """Reserve the amount on the charge and record the effect; returns the refund's id, an earlier one on a repeat.

    Raises:
        NotFound, RefundRefused, RefundInProgress, IdempotencyMismatch, ApprovalNeeded: nothing was reserved.
    """
    row = _lock(connection, scope, transaction_id)
    # After the lock, so that of two callers with one key the second sees what the first recorded.
    earlier = effects.recorded(connection, effect)
    if earlier is not None:
        return str(earlier["refund_id"])
    current = now()
    allowed = eligibility(to_transaction(row), amount_minor, currency, rules.max_age_days, current)
    if not allowed.eligible:
        raise RefundRefused(
            " ".join(reason.message for reason in allowed.reasons),
            suggestion="Nothing was refunded. Ask for what is allowed, or escalate.",
            details=allowed.model_dump(),
        )
    same = select(r.refund_id).where(
        r.transaction_id == transaction_id, r.amount_minor == amount_minor, r.status == "pending"
    )
    if (unsettled := connection.execute(same).scalar()) is not None:
        raise RefundInProgress(
            f"A refund of {money.to_text(amount_minor, currency)} of this charge is under way.",
            suggestion="Follow it with get_refund; ask for another only once it is settled.",
            details={"refund_id": unsettled},
        )
    today = _refunded_today(connection, row.customer_id, currency, current)
    reached = max(row.refunded_minor + row.reserved_minor, today) + amount_minor
    effect = approvals.require(
        connection,
        effect,
        needed=reached > rules.approval_above_minor,
        facts=_facts(row, amount_minor, today, rules.approval_above_minor),
    )
    faults.point("consuming")
    connection.execute(
        update(transactions)
        .where(t.transaction_id == transaction_id)
        .values(reserved_minor=t.reserved_minor + amount_minor)
    )
    connection.execute(
        insert(refunds).values(
            refund_id=refund_id,
            transaction_id=transaction_id,
            customer_id=row.customer_id,
            amount_minor=amount_minor,
            currency=currency,
            reason=reason,
            status="pending",
            created_at=times.utc(current),
        )
    )
    request = {"transaction_id": transaction_id, "amount_minor": amount_minor, "currency": currency}
    external.reserve(connection, effect, refund_id, request, {"refund_id": refund_id})
    return refund_id


def _lock(connection: Connection, scope: Scope, transaction_id: str) -> Row[Any]:
    """The charge, locked with its customer: sums over either cannot change until this transaction ends.

    Raises:
        NotFound: it is not there, or not in scope.
    """
    customer_id = connection.execute(select(t.customer_id).where(t.transaction_id == transaction_id)).scalar()
    if customer_id is None or scope.customer_id not in (None, customer_id):
        raise queries.missing(connection, "transaction", transaction_id)
    connection.execute(select(customers.c.customer_id).where(customers.c.customer_id == customer_id).with_for_update())
    return connection.execute(select(transactions).where(t.transaction_id == transaction_id).with_for_update()).one()


def _refunded_today(connection: Connection, customer_id: str, currency: str, current: datetime) -> int:
    """What the customer was refunded this day (UTC) in that currency, or is being refunded."""
    day = current.date().isoformat()
    ours = (r.customer_id == customer_id, r.currency == currency, r.created_at >= day, r.status != "declined")
    return int(connection.execute(select(func.coalesce(func.sum(r.amount_minor), 0)).where(*ours)).scalar_one())


def _facts(charge: Row[Any], amount_minor: int, today_minor: int, above_minor: int) -> dict[str, Any]:
    """What the books say, for whoever decides; no word of the requester's."""
    currency = charge.currency
    return {
        "amount": money.to_text(amount_minor, currency),
        "transaction_id": charge.transaction_id,
        "charged": money.to_text(charge.captured_minor, currency),
        "charged_at": charge.created_at,
        "customer_id": charge.customer_id,
        "customer_name": charge.customer_name,
        "refunded_of_charge": money.to_text(charge.refunded_minor + charge.reserved_minor, currency),
        "refunded_to_customer_today": money.to_text(today_minor, currency),
        "approval_above": money.to_text(above_minor, currency),
    }


def pending(connection: Connection) -> bool:
    """Whether any refund is unsettled."""
    return connection.execute(select(r.refund_id).where(r.status == "pending").limit(1)).first() is not None


def settle(connection: Connection, effect: ExternalEffect) -> None:
    """Write the gateway's definite answer: refund row, charge and ledger together."""
    outcome = effect.outcome or {}
    succeeded = effect.state == "done" and outcome["status"] == "succeeded"
    row = connection.execute(
        update(refunds)
        .where(r.refund_id == effect.effect_id)
        .values(
            status="succeeded" if succeeded else "declined",
            decline_reason=outcome.get("decline_reason") if effect.state == "done" else outcome["message"],
            gateway_refund_id=outcome.get("gateway_refund_id"),
            expected_arrival=expected_arrival(now()) if succeeded else None,
        )
        .returning(r.transaction_id, r.amount_minor, r.currency)
    ).one()
    refunded = row.amount_minor if succeeded else 0
    connection.execute(
        update(transactions)
        .where(t.transaction_id == row.transaction_id)
        .values(reserved_minor=t.reserved_minor - row.amount_minor, refunded_minor=t.refunded_minor + refunded)
    )
    if refunded:
        books.post(connection, effect.effect_id, row.transaction_id, -refunded, row.currency)


def now() -> datetime:
    return datetime.now(UTC)

"""The double-entry ledger: every movement is one transfer whose entries sum to zero; entries are never changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from flotilla_kit import times
from sqlalchemy import Connection, func, insert, select

from .schema import ledger_entries, transactions

GATEWAY = "gateway"  # an asset: money that the gateway holds for us
REVENUE = "revenue"
e, t = ledger_entries.c, transactions.c


@dataclass(frozen=True)
class Transfer:
    """An amount, in minor units, that the gateway received (or, negative, paid out) for a charge."""

    transfer_id: str
    transaction_id: str
    amount_minor: int
    currency: str


def post(connection: Connection, transfer_id: str, transaction_id: str, amount_minor: int, currency: str) -> None:
    """Record that the gateway received (or, negative, paid out) an amount for a charge.

    Raises:
        sqlalchemy.exc.IntegrityError: the transfer was posted before.
    """
    post_all(connection, [Transfer(transfer_id, transaction_id, amount_minor, currency)])


def post_all(connection: Connection, posted: Sequence[Transfer]) -> None:
    """As `post`, many at once.

    Raises:
        sqlalchemy.exc.IntegrityError: one of them was posted before.
    """
    now = times.now()
    entries = [
        {
            "transfer_id": transfer.transfer_id,
            "account": account,
            "amount_minor": signed,
            "currency": transfer.currency,
            "transaction_id": transfer.transaction_id,
            "recorded_at": now,
        }
        for transfer in posted
        for account, signed in ((GATEWAY, transfer.amount_minor), (REVENUE, -transfer.amount_minor))
    ]
    if entries:
        connection.execute(insert(ledger_entries), entries)


def transfers(connection: Connection, transaction_id: str) -> int:
    """How many transfers a charge has."""
    ours = select(func.count()).where(e.transaction_id == transaction_id, e.account == GATEWAY)
    return connection.execute(ours).scalar_one()


@dataclass(frozen=True)
class Imbalance:
    """Where the books disagree with themselves."""

    subject: str
    problem: str


def check(connection: Connection) -> list[Imbalance]:
    """Every transfer sums to zero per currency, and every charge's balance rebuilds from its entries."""
    unbalanced = connection.execute(
        select(e.transfer_id, e.currency).group_by(e.transfer_id, e.currency).having(func.sum(e.amount_minor) != 0)
    )
    held = (
        select(e.transaction_id, func.sum(e.amount_minor).label("held"))
        .where(e.account == GATEWAY)
        .group_by(e.transaction_id)
        .subquery()
    )
    wrong = connection.execute(
        select(t.transaction_id)
        .outerjoin(held, held.c.transaction_id == t.transaction_id)
        .where(func.coalesce(held.c.held, 0) != t.captured_minor - t.refunded_minor)
    )
    return [
        *(Imbalance(row.transfer_id, f"entries in {row.currency} do not sum to zero") for row in unbalanced),
        *(Imbalance(row.transaction_id, "its balance does not rebuild from its entries") for row in wrong),
    ]

"""Whether two charges are one charge taken twice: evidence for, evidence against, never a verdict on amount alone.

Windows in use elsewhere: Braintree 30 s, Authorize.net 120 s, Helcim 5 min, Clover an hour on the same last four.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Literal

from flotilla_kit import money

from .models import DuplicateCharge, Transaction
from .refunds import SETTLED_DISPUTES

CLOSE_S = 5 * 60
NEAR_S = 60 * 60
DEFAULT_WINDOW_DAYS = 3
MOST_COMPARED = 50  # equal charges before one that it is compared with, the nearest and those of its invoice


def find_duplicates(charges: Iterable[Transaction], window_days: int) -> list[DuplicateCharge]:
    """Pairs of one customer's captured charges of equal amount and currency that something else links too.

    The answer does not depend on the order of `charges`. The likeliest pairs come first, then the newest. A third
    charge of one invoice makes a pair with the first one only, so each surplus charge is named once.
    """
    captured = sorted((c for c in charges if c.status == "succeeded"), key=lambda c: (c.created_at, c.transaction_id))
    groups: dict[tuple[str, str, int], list[Transaction]] = {}
    for charge in captured:
        groups.setdefault((charge.customer_id, charge.currency, charge.amount_minor), []).append(charge)
    found = [pair for group in groups.values() for pair in _pairs(group, window_days)]
    position = {charge.transaction_id: index for index, charge in enumerate(captured)}
    return sorted(
        found, key=lambda pair: (_RANK[pair.confidence], position[pair.duplicate_transaction_id]), reverse=True
    )


def _pairs(group: Sequence[Transaction], window_days: int) -> list[DuplicateCharge]:
    """The best pair of each charge of `group`, which is in order of time, with an earlier one."""
    best: list[DuplicateCharge] = []
    times = [datetime.fromisoformat(charge.created_at) for charge in group]
    by_invoice: dict[str | None, list[int]] = {}
    for index, second in enumerate(group):
        near = max(bisect_left(times, times[index] - timedelta(days=window_days), hi=index), index - MOST_COMPARED)
        same_invoice = by_invoice.setdefault(second.invoice_id, [])
        held: DuplicateCharge | None = None
        for position in chain((p for p in same_invoice[:MOST_COMPARED] if p < near), range(near, index)):
            first = group[position]
            if held is not None and not _can_be_likely(first, second, times[index] - times[position]):
                continue
            pair = _compare(first, second)
            # Amount and time alone link nothing: some other fact must.
            if len(pair.evidence) > 1 and (held is None or _RANK[pair.confidence] > _RANK[held.confidence]):
                held = pair
            if held is not None and held.confidence == "high":
                break
        if held is not None:
            best.append(held)
        if second.invoice_id is not None:
            same_invoice.append(index)
    return best


def _can_be_likely(first: Transaction, second: Transaction, apart: timedelta) -> bool:
    """Whether the pair may be more than `low`: a short cut for customers with thousands of equal charges."""
    return apart.total_seconds() <= CLOSE_S + 1 or first.invoice_id == second.invoice_id is not None


_RANK = {"low": 0, "medium": 1, "high": 2}


def _compare(first: Transaction, second: Transaction) -> DuplicateCharge:
    apart = _seconds(first, second)
    strong, evidence, against = 0, ["same amount and currency"], list[str]()
    if first.invoice_id and second.invoice_id:
        if first.invoice_id == second.invoice_id:
            strong += 2
            evidence.append(f"both charges are for invoice {first.invoice_id}")
        else:
            against.append(f"different invoices: {first.invoice_id} and {second.invoice_id}")
    if first.description and second.description:
        if _plain(first.description) == _plain(second.description):
            evidence.append(f"same description: {first.description[:80]}")
        else:
            against.append(f"different descriptions: {first.description[:60]!r} and {second.description[:60]!r}")
    card, other = first.card_id or first.method.last4, second.card_id or second.method.last4
    if card and other:
        if card == other:
            if apart <= NEAR_S:
                strong += 1
            evidence.append(f"same {first.method.brand or first.method.kind} ending {first.method.last4 or 'unknown'}")
        else:
            against.append("different payment methods")
    if apart <= CLOSE_S:
        strong += 1
        evidence.append(f"{apart} seconds apart")
    elif apart > NEAR_S:
        against.append(f"{_long(apart)} apart")
    against += _already_settled(first, second)
    return DuplicateCharge(
        original_transaction_id=first.transaction_id,
        duplicate_transaction_id=second.transaction_id,
        customer_id=second.customer_id,
        amount=money.to_text(second.amount_minor, second.currency),
        amount_minor=second.amount_minor,
        currency=second.currency,
        invoice_id=second.invoice_id if first.invoice_id == second.invoice_id else None,
        seconds_apart=apart,
        confidence=_confidence(strong, against),
        evidence=evidence,
        counter_evidence=against,
    )


def _already_settled(first: Transaction, second: Transaction) -> list[str]:
    said: list[str] = []
    for charge in (first, second):
        if charge.refunded_minor:
            said.append(f"{charge.transaction_id} was already refunded")
        if charge.dispute_status and charge.dispute_status not in SETTLED_DISPUTES:
            said.append(f"{charge.transaction_id} is disputed")
    return said


def _confidence(strong: int, against: Sequence[str]) -> Literal["high", "medium", "low"]:
    if strong >= 3 and not against:
        return "high"
    return "medium" if strong >= 2 and len(against) <= 1 else "low"


def _seconds(first: Transaction, second: Transaction) -> int:
    apart = datetime.fromisoformat(second.created_at) - datetime.fromisoformat(first.created_at)
    return abs(int(apart.total_seconds()))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _long(seconds: int) -> str:
    return f"{seconds // 86_400} days" if seconds >= 2 * 86_400 else f"{seconds // 3600} hours"

"""When a charge can be refunded, and when the money arrives. Pure rules."""

from datetime import UTC, date, datetime, timedelta

from flotilla_kit import money

from .models import Eligibility, Reason, Transaction

SETTLED_DISPUTES = ("won", "warning_closed")  # Stripe's words for a dispute that left the money with the merchant
ARRIVAL_BUSINESS_DAYS = 10  # Stripe and the card networks say 5 to 10; the later end is the promise that holds


def eligibility(
    charge: Transaction, amount_minor: int | None, currency: str | None, max_age_days: int | None, now: datetime
) -> Eligibility:
    """Every reason against refunding `amount_minor` (by default all that is left) of a charge.

    Card-network rules: never more than was captured, same currency, none on disputed or unsettled charges.
    """
    reasons = list(_reasons(charge, max_age_days, now))
    left = charge.refundable_minor
    if currency is not None and currency != charge.currency:
        reasons.append(Reason(code="other_currency", message=f"The charge is in {charge.currency}, not {currency}."))
    elif amount_minor is not None and not reasons and amount_minor > left:
        reasons.append(
            Reason(code="above_remainder", message=f"At most {money.to_text(left, charge.currency)} ({left}) is left.")
        )
    return Eligibility(
        transaction_id=charge.transaction_id,
        eligible=not reasons,
        refundable_minor=left if not reasons or reasons[0].code in ("above_remainder", "other_currency") else 0,
        currency=charge.currency,
        reasons=reasons,
    )


def _reasons(charge: Transaction, max_age_days: int | None, now: datetime) -> list[Reason]:
    found: list[Reason] = []
    match charge.status:
        case "failed":
            found.append(Reason(code="failed", message="The charge failed; no money was taken."))
        case "canceled":
            found.append(Reason(code="canceled", message="The charge was canceled; no money was taken."))
        case "pending":
            found.append(Reason(code="pending", message="The charge is still pending."))
        case "uncaptured":
            found.append(Reason(code="uncaptured", message="The charge is only authorised; cancel it instead."))
        case "succeeded":
            pass
    if charge.dispute_status and charge.dispute_status not in SETTLED_DISPUTES:
        found.append(
            Reason(code="disputed", message=f"The charge is disputed ({charge.dispute_status}); the network decides.")
        )
    if charge.status == "succeeded" and charge.refundable_minor <= 0:
        reserved = " or is being refunded" if charge.reserved_minor else ""
        found.append(Reason(code="already_refunded", message=f"All of the charge was refunded{reserved}."))
    age = now - datetime.fromisoformat(charge.created_at)
    if max_age_days is not None and age > timedelta(days=max_age_days):
        found.append(Reason(code="too_old", message=f"The charge is {age.days} days old; the limit is {max_age_days}."))
    return found


def add_business_days(day: date, days: int) -> date:
    """The date `days` working days (Monday to Friday) after `day`."""
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < 5
    return day


def expected_arrival(issued_at: datetime) -> str:
    """The date by which a refund issued now is on the customer's statement, as ISO 8601."""
    return add_business_days(issued_at.astimezone(UTC).date(), ARRIVAL_BUSINESS_DAYS).isoformat()

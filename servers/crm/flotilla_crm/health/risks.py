"""Signals that something is wrong at an account: each rule holds facts against its threshold, and says why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ..access import Access
from ..days import days_between
from ..models import Record, Risk, Risks
from ..records import RecordType
from .facts import DealHistory, Facts
from .score import Given

ORDER = ("critical", "high", "medium", "low")
POINTS = {"critical": 40.0, "high": 25.0, "medium": 10.0, "low": 5.0}
MOST_IDS = 5
Reads = Sequence[tuple[RecordType, str]]
"""The fields that a rule reads: it is not checked for a caller who may not read one."""


@dataclass(frozen=True)
class Thresholds:
    """When something is a risk; the settings of the same names say more."""

    no_contact_days: int = 30
    no_inbound_days: int = 45
    slipped_times: int = 2
    stalled_days: int = 30
    amount_cut_percent: int = 20
    renewal_days: int = 60
    payment_overdue_days: int = 0


Rule = Callable[[Facts, Given, Thresholds], Iterator[Risk]]


def detect(facts: Facts, given: Given, limits: Thresholds, access: Access) -> Risks:
    """All risks of an account, the worst first, and the rules that could not be checked."""
    found: list[Risk] = []
    not_checked: list[Record] = []
    for name, (reads, rule) in RULES.items():
        if not all(access.may_read(kind, field) for kind, field in reads):
            not_checked.append({"signal": name, "why": "this caller may not read what it needs"})
        elif name == "payment_overdue" and given.overdue_invoices is None and given.overdue_days is None:
            not_checked.append({"signal": name, "why": "ask billing, and pass overdue_invoices or overdue_days"})
        else:
            found += rule(facts, given, limits)
    found.sort(key=lambda risk: ORDER.index(risk.severity))
    return Risks(
        account_id=facts.account["account_id"], as_of=facts.today.isoformat(), risks=found, not_checked=not_checked
    )


def _risk(severity: str, signal: str, value: object, threshold: object, says: str, ids: Sequence[str], at: str) -> Risk:
    return Risk.model_validate(
        {
            "severity": severity,
            "signal": signal,
            "value": value,
            "threshold": threshold,
            "points": POINTS[severity],
            "says": says,
            "record_ids": list(ids)[:MOST_IDS],
            "at": at,
        }
    )


def _no_contact(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given
    last, account = facts.last, facts.account
    days = last.days(facts.today) if last else days_between(str(account["created_at"]), facts.today)
    if days >= limits.no_contact_days:
        says = f"No call, e-mail or meeting for {days} days." if last else "No call, e-mail or meeting at all."
        ids = [last.activity_id if last else str(account["account_id"])]
        at = last.at if last else str(account["created_at"])
        yield _risk("high", "no_contact", days, limits.no_contact_days, says, ids, at)


def _no_inbound(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given
    last = facts.last_inbound
    if last is not None and (days := last.days(facts.today)) >= limits.no_inbound_days:
        says = f"The customer was last heard of {days} days ago."
        yield _risk("medium", "no_inbound_contact", days, limits.no_inbound_days, says, [last.activity_id], last.at)


def _champion_gone(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given, limits
    for champion in facts.champions:
        if champion["status"] in ("left", "bounced"):
            says = "A champion has left." if champion["status"] == "left" else "Mail to a champion bounces."
            ids = [str(champion["contact_id"])]
            yield _risk("high", "champion_gone", champion["status"], "active", says, ids, champion["updated_at"])


def _quiet_champion(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given
    for champion in facts.champions:
        last = facts.last_inbound_of.get(champion["contact_id"])
        if champion["status"] in (None, "active") and last is not None:
            days = last.days(facts.today)
            if days >= limits.no_inbound_days:
                says = f"A champion was last heard of {days} days ago."
                ids = [str(champion["contact_id"]), last.activity_id]
                yield _risk("medium", "quiet_champion", days, limits.no_inbound_days, says, ids, last.at)


def _slipped(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given
    for one in facts.deals:
        if one.slips >= limits.slipped_times:
            says = f"Its close date was put off {one.slips} times."
            yield _of_deal("high", "close_date_slipped", one, one.slips, limits.slipped_times, says)


def _stalled(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given
    for one in facts.deals:
        days = days_between(one.stage_since, facts.today)
        if days >= limits.stalled_days:
            says = f"It has been in the stage {one.deal['stage']} for {days} days."
            yield _of_deal("medium", "stage_stalled", one, days, limits.stalled_days, says, at=one.stage_since)


def _amount_cut(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given
    for one in facts.deals:
        now, highest = one.deal["amount_minor"], one.highest_amount
        if now is not None and highest:
            cut = round(100 * (highest - now) / highest)
            if cut > limits.amount_cut_percent:
                says = f"Its amount was cut by {cut} percent."
                yield _of_deal("medium", "amount_cut", one, cut, limits.amount_cut_percent, says)


def _overdue(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    days, count = given.overdue_days, given.overdue_invoices
    late = days > limits.payment_overdue_days if days is not None else bool(count)
    if late and count != 0:
        says = (
            f"{count if count is not None else 'An'} overdue invoice{'s' if (count or 1) > 1 else ''}, as billing says."
        )
        value = days if days is not None else count
        ids = [str(facts.account["account_id"])]
        yield _risk(
            "critical", "payment_overdue", value, limits.payment_overdue_days, says, ids, facts.today.isoformat()
        )


def _open_p1(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given, limits
    if facts.open_p1:
        ids = [ticket.activity_id for ticket in facts.open_p1]
        says = "A ticket of the highest priority is open."
        yield _risk("critical", "open_p1_ticket", len(ids), 0, says, ids, facts.open_p1[0].at)


def _renewal(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given
    said = facts.account["renewal_on"]
    if said is None:
        return
    left = (date.fromisoformat(said) - facts.today).days
    quiet = facts.last is None or facts.last.days(facts.today) >= limits.no_contact_days
    if left <= limits.renewal_days and quiet:
        when = f"in {left} days" if left >= 0 else f"since {-left} days"
        ids = [str(facts.account["account_id"])]
        yield _risk("high", "renewal_without_activity", left, limits.renewal_days, f"Renewal is due {when}.", ids, said)


def _single_contact(facts: Facts, given: Given, limits: Thresholds) -> Iterator[Risk]:
    del given, limits
    active = facts.active_contacts
    if len(active) == 1:
        says, ids = "Only one active contact is known.", [str(active[0]["contact_id"])]
        yield _risk("low", "single_contact", 1, 2, says, ids, active[0]["updated_at"])


def _of_deal(
    severity: str, signal: str, one: DealHistory, value: object, threshold: object, says: str, at: str = ""
) -> Risk:
    ids = [str(one.deal["deal_id"])]
    return _risk(severity, signal, value, threshold, says, ids, at or str(one.deal["updated_at"]))


_TALK: Reads = (("activity", "occurred_at"), ("activity", "kind"), ("activity", "direction"))
RULES: dict[str, tuple[Reads, Rule]] = {
    "no_contact": (_TALK, _no_contact),
    "no_inbound_contact": (_TALK, _no_inbound),
    "champion_gone": ((("contact", "role"), ("contact", "status")), _champion_gone),
    "quiet_champion": ((*_TALK, ("contact", "role"), ("contact", "status")), _quiet_champion),
    "close_date_slipped": ((("deal", "close_on"),), _slipped),
    "stage_stalled": ((("deal", "stage"),), _stalled),
    "amount_cut": ((("deal", "amount_minor"),), _amount_cut),
    "payment_overdue": ((), _overdue),
    "open_p1_ticket": ((("activity", "kind"), ("activity", "priority")), _open_p1),
    "renewal_without_activity": ((*_TALK, ("account", "renewal_on")), _renewal),
    "single_contact": ((("contact", "status"),), _single_contact),
}

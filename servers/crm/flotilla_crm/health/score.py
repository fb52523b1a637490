"""The score of an account: 0.40 engagement, 0.30 financial, 0.30 satisfaction, of what is known.

What is not known is not zero: the weights of the rest are scaled up, and `coverage` says how much of the weight is
known. Below half of it there is no score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..models import Component, Health, Signal
from .facts import CONVERSATIONS, RECENT_DAYS, Facts

Name = Literal["engagement", "financial", "satisfaction"]
WEIGHTS: dict[Name, float] = {"engagement": 0.40, "financial": 0.30, "satisfaction": 0.30}
HEALTHY, AT_RISK = 75, 50
LEAST_COVERAGE = 0.5
# Points for the last word from the customer, by how many days ago it was at most.
RECENCY = ((14, 40), (30, 30), (45, 20), (RECENT_DAYS, 8))
PER_CONVERSATION, MOST_FOR_CONVERSATIONS = 2.5, 25
PER_MEETING, MOST_FOR_MEETINGS = 5, 15
FOR_PEOPLE = {0: 0, 1: 3, 2: 7}
MOST_FOR_PEOPLE, FOR_CHAMPION = 10, 10
OVERDUE, PER_FURTHER_INVOICE, MOST_FOR_OVERDUE_DAYS = 20, 15, 60
PER_OPEN_P1 = 15


@dataclass(frozen=True)
class Given:
    """What the caller knows and this server does not. Scores are 0 to 100; None is unknown."""

    engagement: float | None = None
    financial: float | None = None
    satisfaction: float | None = None
    overdue_invoices: int | None = None
    overdue_days: int | None = None


def health(facts: Facts | None, given: Given, as_of: str) -> Health:
    """The score with what it is made of; `facts` are None where only numbers were given."""
    components = [
        _component("engagement", given.engagement, _engagement(facts) if facts else []),
        _component("financial", given.financial, _financial(given)),
        _component("satisfaction", given.satisfaction, _satisfaction(facts) if facts else []),
    ]
    known = [one for one in components if one.score is not None]
    coverage = round(sum(one.weight for one in known), 2)
    score = None
    if coverage >= LEAST_COVERAGE:
        score = round(sum(one.weight * (one.score or 0) for one in known) / coverage, 1)
    return Health(
        account_id=facts.account["account_id"] if facts else None,
        score=score,
        status=_status(score),
        coverage=coverage,
        as_of=as_of,
        components=components,
    )


def _status(score: float | None) -> Literal["healthy", "needs_attention", "at_risk", "unknown"]:
    if score is None:
        return "unknown"
    if score > HEALTHY:
        return "healthy"
    return "needs_attention" if score >= AT_RISK else "at_risk"


def _component(name: Name, given: float | None, signals: Sequence[Signal]) -> Component:
    if given is not None:
        said = Signal(signal=f"{name}_score", value=given, points=given, says="as the caller gave it")
        return Component(name=name, weight=WEIGHTS[name], score=given, known=True, signals=[said])
    points = [signal.points for signal in signals if signal.points is not None]
    score = min(100.0, max(0.0, sum(points))) if points else None
    return Component(name=name, weight=WEIGHTS[name], score=score, known=score is not None, signals=list(signals))


def _engagement(facts: Facts) -> list[Signal]:
    if facts.last is None and facts.last_inbound is None:
        return [Signal(signal="conversations", says="unknown: the CRM has no call, e-mail or meeting of this account")]
    champions = [one for one in facts.champions if one["status"] in (None, "active")]
    inbound = facts.last_inbound
    days = inbound.days(facts.today) if inbound else None
    recency = next((points for most, points in RECENCY if days is not None and days <= most), 0)
    return [
        Signal(
            signal="days_since_inbound",
            value=days,
            threshold=RECENCY[0][0],
            points=recency,
            record_ids=[inbound.activity_id] if inbound else None,
            at=inbound.at if inbound else None,
        ),
        Signal(
            signal=f"conversations_in_{RECENT_DAYS}_days",
            value=facts.conversations,
            threshold=int(MOST_FOR_CONVERSATIONS / PER_CONVERSATION),
            points=min(MOST_FOR_CONVERSATIONS, facts.conversations * PER_CONVERSATION),
            record_ids=[facts.last.activity_id] if facts.last else None,
            at=facts.last.at if facts.last else None,
            says=", ".join(CONVERSATIONS),
        ),
        Signal(
            signal=f"calls_and_meetings_in_{RECENT_DAYS}_days",
            value=facts.meetings,
            threshold=MOST_FOR_MEETINGS // PER_MEETING,
            points=min(MOST_FOR_MEETINGS, facts.meetings * PER_MEETING),
        ),
        Signal(
            signal="people_talked_with",
            value=facts.people,
            threshold=3,
            points=FOR_PEOPLE.get(facts.people, MOST_FOR_PEOPLE),
        ),
        Signal(
            signal="active_champions",
            value=len(champions),
            threshold=1,
            points=FOR_CHAMPION if champions else 0,
            record_ids=[one["contact_id"] for one in champions][:5] or None,
        ),
    ]


def _financial(given: Given) -> list[Signal]:
    if given.overdue_invoices is None and given.overdue_days is None:
        return [Signal(signal="overdue_invoices", says="unknown: ask billing, and pass overdue_invoices")]
    days = given.overdue_days or 0
    count = given.overdue_invoices if given.overdue_invoices is not None else int(days > 0)
    lost = min(MOST_FOR_OVERDUE_DAYS, OVERDUE + days) + PER_FURTHER_INVOICE * (count - 1) if count else 0
    return [
        Signal(signal="overdue_invoices", value=count, threshold=0, points=100 - min(100, lost)),
        *([Signal(signal="overdue_days", value=days, threshold=0)] if given.overdue_days is not None else []),
    ]


def _satisfaction(facts: Facts) -> list[Signal]:
    said = facts.account["satisfaction"]
    open_p1 = facts.open_p1
    tickets = Signal(
        signal="open_p1_tickets",
        value=len(open_p1),
        threshold=0,
        points=-PER_OPEN_P1 * len(open_p1) if said is not None else None,
        record_ids=[ticket.activity_id for ticket in open_p1][:5] or None,
        at=open_p1[0].at if open_p1 else None,
    )
    if said is None:
        return [Signal(signal="satisfaction", says="unknown: no survey's result is in the CRM"), tickets]
    account_id = facts.account["account_id"]
    return [
        Signal(signal="satisfaction", value=said, threshold=HEALTHY, points=said, record_ids=[account_id]),
        tickets,
    ]

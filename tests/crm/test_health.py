"""The score says what it is made of and what it does not know; each risk says why, with evidence."""

import pytest
from flotilla_crm.records import DEAL
from flotilla_crm.schema import deals
from flotilla_crm.sql_store import MIGRATIONS
from flotilla_crm.writing import rows
from flotilla_crm.writing.history import Origin
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from sqlalchemy import Connection, select
from support.crm_client import ACME, Answer, Crm

HEALTH, RISKS = "calculate_account_health_score", "detect_risk_signals"


@pytest.mark.parametrize(
    ("engagement", "financial", "satisfaction", "score", "status"),
    [
        (80, 80, 80, 80.0, "healthy"),
        (100, 50, 50, 70.0, "needs_attention"),
        (75, 75, 75, 75.0, "needs_attention"),
        (0, 0, 0, 0.0, "at_risk"),
        (100, 100, 100, 100.0, "healthy"),
    ],
)
async def test_three_given_numbers_are_weighted(
    on_sqlite: Crm, engagement: int, financial: int, satisfaction: int, score: float, status: str
) -> None:
    given = {"engagement_score": engagement, "financial_score": financial, "satisfaction_score": satisfaction}
    answer = await on_sqlite.call(HEALTH, **given)
    assert (answer["score"], answer["status"], answer["coverage"]) == (score, status, 1.0)


async def test_unknown_is_not_zero(on_sqlite: Crm) -> None:
    answer = await on_sqlite.call(HEALTH, engagement_score=90, satisfaction_score=90)
    assert (answer["score"], answer["coverage"], answer["status"]) == (90.0, 0.7, "healthy")
    assert [one["name"] for one in answer["components"] if not one["known"]] == ["financial"]


@pytest.mark.parametrize("given", [{"engagement_score": 90}, {"financial_score": 90}])
async def test_below_half_coverage_there_is_no_score(on_sqlite: Crm, given: Answer) -> None:
    answer = await on_sqlite.call(HEALTH, **given)
    assert "score" not in answer and answer["status"] == "unknown" and answer["coverage"] < 0.5


async def test_nothing_to_score_is_said(on_sqlite: Crm) -> None:
    assert (await on_sqlite.call(HEALTH))["code"] == "invalid_arguments"
    assert (await on_sqlite.call(HEALTH, overdue_invoices=1))["code"] == "invalid_arguments"


async def test_engagement_is_read_from_the_activities_and_finance_from_what_billing_said(crm: Crm) -> None:
    made = await crm.contact(role="champion")
    empty = await crm.call(HEALTH, account_id=ACME, overdue_invoices=0)
    assert (empty["coverage"], empty["status"]) == (0.3, "unknown")
    call = await crm.activity(contact_id=made["contact_id"], direction="inbound", occurred_at="2026-03-25")
    answer = await crm.call(HEALTH, account_id=ACME, overdue_invoices=2, overdue_days=10)
    engagement, financial, satisfaction = answer["components"]
    assert (answer["coverage"], satisfaction["known"]) == (0.7, False)
    recency = engagement["signals"][0]
    assert (recency["value"], recency["points"], recency["record_ids"]) == (6, 40, [call["activity_id"]])
    assert recency["at"].startswith("2026-03-25")
    assert engagement["score"] == sum(signal["points"] for signal in engagement["signals"]) == 40 + 2.5 + 5 + 3 + 10
    assert financial["score"] == 100 - (20 + 10) - 15


async def test_a_quiet_account_with_an_overdue_invoice_is_told_worst_first(on_sqlite: Crm) -> None:
    made = await on_sqlite.contact(role="champion")
    await on_sqlite.activity(contact_id=made["contact_id"], direction="inbound", occurred_at="2026-01-15")
    answer = await on_sqlite.call(RISKS, account_id=ACME, overdue_days=12)
    found = {risk["signal"]: risk for risk in answer["risks"]}
    assert list(found) == ["payment_overdue", "no_contact", "no_inbound_contact", "quiet_champion", "single_contact"]
    assert (found["payment_overdue"]["severity"], found["no_contact"]["severity"]) == ("critical", "high")
    assert (found["no_contact"]["value"], found["no_contact"]["threshold"]) == (75, 30)
    for risk in found.values():
        assert risk["record_ids"] and risk["at"] and risk["points"] and risk["says"]


async def test_what_billing_did_not_say_is_not_checked(on_sqlite: Crm) -> None:
    answer = await on_sqlite.call(RISKS, account_id=ACME)
    assert [one["signal"] for one in answer["not_checked"]] == ["payment_overdue"]
    none = await on_sqlite.call(RISKS, account_id=ACME, overdue_invoices=0)
    assert none["not_checked"] == [] and "payment_overdue" not in str(none["risks"])


async def test_a_deal_that_slipped_was_cut_and_stands_still_is_told(crm: Crm) -> None:
    made = await crm.deal(amount_minor=100_000, currency="USD", close_on="2026-01-31")
    await _age(crm, made["deal_id"])
    answer = await crm.call(RISKS, account_id=ACME)
    found = {risk["signal"]: risk for risk in answer["risks"]}
    assert (found["close_date_slipped"]["value"], found["amount_cut"]["value"]) == (2, 30)
    assert found["stage_stalled"]["value"] == 59
    assert found["amount_cut"]["record_ids"] == [made["deal_id"]]


async def _age(crm: Crm, deal_id: str) -> None:
    """Changes of a deal as they came over two months."""
    database = await Database.open(store_url(crm.settings), [KIT_MIGRATIONS, MIGRATIONS])

    def changes(conn: Connection) -> None:
        for at, given in (
            ("2026-01-31T09:00:00.000+00:00", {"stage": "Proposal", "close_on": "2026-02-28"}),
            ("2026-02-28T09:00:00.000+00:00", {"close_on": "2026-04-30", "amount_minor": 70_000}),
        ):
            state = dict(conn.execute(select(deals).where(deals.c.deal_id == deal_id)).mappings().one())
            rows.change(conn, DEAL, state, given, Origin("leila", at))

    await database.write(changes)
    await database.close()


async def test_a_p1_ticket_a_champion_who_left_and_a_renewal_without_a_word_are_told(on_sqlite: Crm) -> None:
    made = await on_sqlite.contact(role="champion")
    await on_sqlite.approved("update_contact", contact_id=made["contact_id"], version=1, changes={"status": "left"})
    found = {risk["signal"]: risk for risk in (await on_sqlite.call(RISKS, account_id=ACME))["risks"]}
    assert found["champion_gone"]["record_ids"] == [made["contact_id"]]
    assert "renewal_without_activity" not in found

"""The sample company: what a sales manager is told of it, and that it is the one that billing and memory know."""

import csv
import json
from collections.abc import AsyncGenerator
from datetime import date
from pathlib import Path

import flotilla_billing
import flotilla_memory
import pytest
from fastmcp import Client
from flotilla_billing.server import create_server as create_billing
from flotilla_billing.settings import Settings as BillingSettings
from flotilla_crm.records import TYPES
from flotilla_crm.server import create_server
from flotilla_crm.settings import SAMPLE_DAY, Settings
from support.crm_client import Crm
from support.histories import check_histories

FINE, SLIPPED, OVERDUE, QUIET, TWICE = "cust_12345", "cust_20417", "cust_61518", "cust_61037", "cust_61185"


@pytest.fixture
async def company(tmp_path: Path) -> AsyncGenerator[Crm]:
    settings = Settings.load({"home": tmp_path, "demo_data": True})
    async with Client(create_server(settings)) as client:
        yield Crm(client, settings)


async def signals(company: Crm, account_id: str, **given: int) -> dict[str, str]:
    found = await company.call("detect_risk_signals", account_id=account_id, **given)
    assert found["as_of"] == SAMPLE_DAY.isoformat()
    return {risk["signal"]: risk["severity"] for risk in found["risks"]}


async def test_each_account_is_in_the_health_that_it_is_there_for(company: Crm) -> None:
    fine = await company.call("calculate_account_health_score", account_id=FINE, overdue_invoices=0)
    assert (fine["status"], fine["coverage"]) == ("healthy", 1.0)
    assert await signals(company, FINE, overdue_invoices=0) == {}
    assert (await signals(company, SLIPPED))["close_date_slipped"] == "high"
    assert (await signals(company, SLIPPED))["amount_cut"] == "medium"
    overdue = await signals(company, OVERDUE, overdue_invoices=2, overdue_days=51)
    assert {overdue["payment_overdue"], overdue["open_p1_ticket"]} == {"critical"}
    poor = await company.call("calculate_account_health_score", account_id=OVERDUE, overdue_invoices=2, overdue_days=51)
    assert poor["status"] == "at_risk"
    assert "quiet_champion" in await signals(company, QUIET)
    assert "no_contact" not in await signals(company, QUIET)
    (pair,) = (await company.call("find_duplicate_contacts", account_id=TWICE))["items"]
    assert {pair["contact"]["contact_id"], pair["other"]["contact_id"]} == {"con_luz_marin", "con_luz_marin_2"}


async def test_who_pays_late_is_told_by_what_billings_sample_says(company: Crm, tmp_path: Path) -> None:
    late: dict[str, list[str]] = {}
    settings = BillingSettings.load({"home": tmp_path / "billing", "demo_data": True})
    async with Client(create_billing(settings)) as billing:
        for account_id in (FINE, SLIPPED, OVERDUE, QUIET, TWICE):
            answer = await billing.call_tool("list_invoices", {"customer_id": account_id, "limit": 100})
            invoices = (answer.structured_content or {})["items"]
            late[account_id] = sorted(one["first_charged_at"] for one in invoices if not one["succeeded"])
    assert {account_id for account_id, unpaid in late.items() if unpaid} == {OVERDUE}
    days = (SAMPLE_DAY - date.fromisoformat(late[OVERDUE][0][:10])).days
    found = await signals(company, OVERDUE, overdue_invoices=len(late[OVERDUE]), overdue_days=days)
    assert (len(late[OVERDUE]), days, found["payment_overdue"]) == (2, 51, "critical")


async def test_a_review_fits_and_says_everything_at_a_glance(company: Crm) -> None:
    for account_id in (FINE, SLIPPED, OVERDUE, QUIET, TWICE):
        review = await company.call("get_account_review", account_id=account_id)
        assert len(json.dumps(review, ensure_ascii=False, separators=(",", ":")).encode()) <= 8_000
        sections = review["sections"]
        assert list(sections) == ["account", "contacts", "open_deals", "activities", "changes", "quality"]
        for section in sections.values():
            assert section["source"] == "crm" and section["as_of"]
            assert (section["status"] == "ok") == (section.get("next_cursor") is None)
        assert sections["account"]["items"][0]["owner"]["name"]


async def test_a_section_goes_on_at_its_cursor(company: Crm) -> None:
    whole = (await company.call("list_account_activities", account_id=SLIPPED, since="2025-12-31", limit=100))["items"]
    review = await company.call("get_account_review", account_id=SLIPPED)
    section = review["sections"]["activities"]
    seen = list(section["items"])
    assert section["status"] == "partial"
    while cursor := section.get("next_cursor"):
        again = await company.call("get_account_review", account_id=SLIPPED, section="activities", cursor=cursor)
        assert list(again["sections"]) == ["activities"]
        section = again["sections"]["activities"]
        seen += section["items"]
    assert [one["activity_id"] for one in seen] == [one["activity_id"] for one in whole]


async def test_the_duplicate_is_among_the_flags_of_the_data(company: Crm) -> None:
    review = await company.call("get_account_review", account_id=TWICE)
    flags = {flag["flag"] for flag in review["sections"]["quality"]["items"]}
    assert {"possible_duplicate_contacts", "contact_without_role"} <= flags


async def test_it_is_the_company_that_billing_and_memory_know(company: Crm) -> None:
    billing, memory = Path(flotilla_billing.__file__).parent, Path(flotilla_memory.__file__).parent
    with (billing / "demo" / "payments.csv").open(encoding="utf-8") as file:
        people = {
            row["Customer ID"]: (row["Customer Description"], row["Customer Email"])
            for row in csv.DictReader(file)
            if row["Customer Email"]
        }
    remembered = {one["account_id"] for one in json.loads((memory / "demo" / "company.json").read_text())}
    known = {one for one in people if (await company.call("get_account", account_id=one)).get("account_id") == one}
    assert remembered <= known and len(known) == 12
    for account_id in known:
        name, email = people[account_id]
        found = (await company.call("get_contact_by_email", email=email))["record"]
        assert (f"{found['first_name']} {found['last_name']}", found["account_id"]) == (name, account_id)


async def test_its_history_makes_what_is_there(company: Crm) -> None:
    assert await check_histories(company.settings) == set(TYPES)

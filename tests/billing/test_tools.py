"""The ten tools as a client sees them."""

from datetime import date
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_billing.server import create_server
from flotilla_billing.settings import Settings
from pytest import mark
from support.answers import answer_of

MCP = Client[FastMCPTransport]
REFUND = {"transaction_id": "ch_maya_feb_2", "amount_minor": 4900, "currency": "USD", "reason": "charged twice"}


async def call(client: MCP, tool: str, **arguments: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool(tool, arguments, raise_on_error=False))


async def test_the_february_duplicate_is_found_beside_its_look_alikes(client: MCP) -> None:
    found = await call(client, "find_duplicate_charges", customer_id="cust_12345")
    likely = [pair for pair in found["items"] if pair["confidence"] == "high"]
    assert [(pair["original_transaction_id"], pair["duplicate_transaction_id"]) for pair in likely] == [
        ("ch_maya_feb_1", "ch_maya_feb_2")
    ]
    assert likely[0]["counter_evidence"] == []
    others = [pair for pair in found["items"] if pair["confidence"] != "high"]
    assert others and all(pair["counter_evidence"] for pair in others)
    assert found["items"][0] == likely[0]


@mark.parametrize("customer_id", ["cust_31108", "cust_55021"])
async def test_a_monthly_plan_is_no_duplicate(client: MCP, customer_id: str) -> None:
    assert (await call(client, "find_duplicate_charges", customer_id=customer_id))["items"] == []


@mark.parametrize(
    ("quoted_date", "quoted_amount", "matches"),
    [
        ("2026-02-03", "$245.00", 2),
        ("Feb 3, 2026", "245", 2),
        ("3rd February 2026", "USD 245", 2),
        ("03/02/2026", "245.00 usd", 2),  # read both ways: 3 February and 2 March
        ("Jan 25 2026", "¥36,000", 2),
        ("8 Jan 2026", "14.750 KWD", 1),
        ("Feb 2026", "12,00 €", 2),
        ("2026-02-06", "$245", 3),  # within days
        ("2025-08-20", "$1", 0),
    ],
)
async def test_the_gateway_is_asked_as_people_quote(
    client: MCP, quoted_date: str, quoted_amount: str, matches: int
) -> None:
    answer = await call(client, "check_payment_gateway", date=quoted_date, amount=quoted_amount)
    found = answer["matches"]
    assert len(answer["read_as"]) == (2 if "/" in quoted_date else 1)
    assert len(found) == matches, answer
    for match in found:
        assert match["transaction"]["method"]["last4"] and match["transaction"]["settled_on"]
        assert match["refund"]["transaction_id"] == match["transaction"]["transaction_id"]


async def test_several_matches_are_said_and_not_chosen_from(client: MCP) -> None:
    answer = await call(client, "check_payment_gateway", date="2026-02-03", amount="$49")
    assert len(answer["matches"]) == 2 and "Several" in answer["note"]


async def test_a_refund_says_when_the_money_arrives_and_is_found_again(client: MCP) -> None:
    issued = await call(client, "issue_refund", **REFUND, idempotency_key="case-1")
    assert (issued["status"], issued["amount"]) == ("succeeded", "49.00 USD")
    assert date.fromisoformat(issued["expected_arrival"]).weekday() < 5
    assert await call(client, "get_refund", refund_id=issued["refund_id"]) == issued
    left = await call(client, "check_refund_eligibility", transaction_id="ch_maya_feb_2", amount_minor=24500)
    assert (left["refundable_minor"], left["reasons"][0]["code"]) == (19600, "above_remainder")


async def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    async with Client(create_server(Settings.load({"home": tmp_path}))) as client:
        for tool, arguments in (
            ("find_transactions", {}),
            ("get_transaction", {"transaction_id": "ch_1"}),
            ("find_duplicate_charges", {"customer_id": "cust_1"}),
        ):
            refused = await call(client, tool, **arguments)
            assert refused["code"] == "store_empty"
            assert "flotilla-billing import" in refused["suggestion"] and "--demo-data" in refused["suggestion"]

"""Bad input to every tool: a clear error of the fleet's shape, no trace, no effect."""

import json
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from fastmcp.exceptions import ToolError
from support.answers import answer_of

GOOD: dict[str, dict[str, Any]] = {
    "get_customer_billing": {"customer_id": "cust_12345"},
    "find_transactions": {"customer_id": "cust_12345", "limit": 5, "amount_minor": 4900, "currency": "USD"},
    "get_transaction": {"transaction_id": "ch_maya_feb_1"},
    "check_payment_gateway": {"date": "Feb 3 2026", "amount": "$49"},
    "find_duplicate_charges": {"customer_id": "cust_12345", "window_days": 3, "limit": 5},
    "list_invoices": {"customer_id": "cust_12345", "limit": 5},
    "get_invoice": {"invoice_id": "in_maya_202602"},
    "check_refund_eligibility": {"transaction_id": "ch_maya_feb_1", "amount_minor": 100},
    "issue_refund": {
        "transaction_id": "ch_maya_feb_1",
        "amount_minor": 100,
        "currency": "USD",
        "reason": "test",
        "idempotency_key": "k",
    },
    "get_refund": {"refund_id": "rf_1"},
}
TEXTS: list[object] = [
    "'; DROP TABLE transactions; --",
    "../../../etc/passwd",
    "cust_\x00",
    "",
    "x" * 10_000_000,
    "\ud800",
    {"$ne": None},
    ["cust_12345"],
    17,
    True,
]
NUMBERS: list[object] = [True, "100", 1.5, -1, 0, 10**20, float("inf"), None, [], "9" * 1000]
SECRET_MARKS = ("Traceback", "sqlalchemy", "sqlite", 'File "', "SELECT ")


def variants() -> list[tuple[str, str, object]]:
    cases: list[tuple[str, str, object]] = []
    for tool, arguments in GOOD.items():
        for name, value in arguments.items():
            corpus = TEXTS if isinstance(value, str) else NUMBERS
            cases += [(tool, name, bad) for bad in corpus]
        cases += [(tool, "cursr", "x"), (tool, "__class__", "x")]
    return cases


async def refunded(client: Client[FastMCPTransport]) -> int:
    result = await client.call_tool("get_customer_billing", {"customer_id": "cust_12345"})
    assert result.structured_content is not None
    return int(result.structured_content["totals"][0]["refunded_minor"])


async def test_no_bad_argument_gets_through_or_leaks(client_on_each: Client[FastMCPTransport]) -> None:
    client = client_on_each
    before = await refunded(client)
    refunds: set[str] = set()  # free text may be any text, and an idempotency key is free text
    for tool, name, bad in variants():
        try:
            result = await client.call_tool(tool, {**GOOD[tool], name: bad}, raise_on_error=False)
        except (UnicodeEncodeError, ValueError):
            continue  # the client's own JSON cannot carry it
        answer = answer_of(result)
        said = json.dumps(answer)
        assert not any(mark in said for mark in SECRET_MARKS), (tool, name, said[:300])
        if not result.is_error:
            # Free text may be any text; null is no bad value for an optional argument, and this client says null for
            # infinity (tests/kit sends 1e400 as bytes).
            free_text = name in ("reason", "idempotency_key") and isinstance(bad, str)
            assert free_text or bad in (None, float("inf")), (tool, name, bad)
            if tool == "issue_refund":
                assert free_text, (name, bad)
                refunds.add(answer["refund_id"])
            continue
        assert answer["code"] != "internal_error", (tool, name, answer)
        assert len(said) < 3000, (tool, name, len(said))
    assert await refunded(client) - before == 100 * len(refunds)


GARBAGE = ["", "garbage", "W10", "bnVsbA", "WyJhIiwgImIiLCAiYyJd", "A" * 400]
NUL_AND_SURROGATE = ["WyJhIiwgIlx1MDAwMCJd", "WyJcdWQ4MDAiLCAieCJd"]


@pytest.mark.parametrize("cursor", [*GARBAGE, *NUL_AND_SURROGATE])
@pytest.mark.parametrize("tool", ["find_transactions", "list_invoices", "find_duplicate_charges"])
async def test_garbage_cursors_are_named(client: Client[FastMCPTransport], tool: str, cursor: str) -> None:
    result = await client.call_tool(tool, {"customer_id": "cust_12345", "cursor": cursor}, raise_on_error=False)
    assert answer_of(result)["code"] == "invalid_cursor"


@pytest.mark.parametrize("tool", [tool for tool in GOOD if "customer_id" not in GOOD[tool] and tool.startswith("get")])
async def test_unknown_ids_say_so(client: Client[FastMCPTransport], tool: str) -> None:
    (name,) = GOOD[tool]
    with pytest.raises(ToolError, match="not_found"):
        await client.call_tool(tool, {name: "nobody_knows"})

"""Mandates against real servers: what a worker is not granted is refused there, whoever calls, with its very token."""

import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flotilla_orchestrator.config.files import load
from flotilla_orchestrator.fleet.lookups import look_up
from flotilla_orchestrator.fleet.run_mandates import RunMandates
from flotilla_orchestrator.fleet.server_pool import running_fleet
from support.answers import answer_of
from support.processes import clean_environment
from support.stage import Stage, answer, own_desk

pytestmark = pytest.mark.cli_double

OWN, ANOTHERS = "ch_maya_feb_2", "ch_97b8df69e50f8e07"
SMALL_REFUND = {"transaction_id": OWN, "amount_minor": 1000, "currency": "USD", "reason": "goodwill"}
SCOPE = {"billing": {"customer_id": "{{ inputs.customer_id }}"}}
DONE = {"lead": [answer("done")]}


@dataclass(frozen=True)
class Answers:
    """What billing says to the holder of one worker's token."""

    tools: Mapping[str, Mapping[str, Any]]
    """Name to input schema."""
    results: list[dict[str, Any]]
    home: Path

    def refunded_minor(self) -> list[int]:
        """The refunds made since the sample was loaded."""
        with closing(sqlite3.connect(self.home / "billing.db")) as books:
            rows = books.execute("SELECT amount_minor FROM refunds WHERE transaction_id = ?", (OWN,))
            return [amount for (amount,) in rows]


@pytest.fixture
def billing(stage: Stage) -> Stage:
    """A case whose one worker has tools of a billing server with the sample company."""
    stage.fleet["servers"] = {"billing": {"command": ["flotilla-billing", "--demo-data"]}}
    stage.playbook["inputs"] = {"type": "object", "properties": {"customer_id": {"type": "string"}}}
    return stage


async def ask(case: Stage, *calls: tuple[str, dict[str, Any]]) -> Answers:
    """The tools that the lead's token shows, and what those calls answer, made past any session."""
    case.write_all({})
    async with connected(case) as (client, _):
        listed = await client.list_tools()
        results = [answer_of(await client.call_tool(name, arguments)) for name, arguments in calls]
    return Answers({tool.name: tool.input_schema for tool in listed.tools}, results, case.home)


@asynccontextmanager
async def connected(case: Stage) -> "AsyncGenerator[tuple[Any, Mapping[str, str]]]":
    config = load(case.configs)
    playbook, lead = config.playbooks["case"], config.workers["lead"]
    async with running_fleet(
        config,
        config.servers(playbook),
        run_id="run_1",
        logs=case.home / "runs",
        keys=case.home / "keys",
        environ=clean_environment(case.home),
    ) as fleet:
        facts = await look_up(playbook, fleet, {"customer_id": "cust_12345"})
        tokens = RunMandates(config, fleet, facts, playbook, [lead]).tokens(lead)
        async with fleet.servers["billing"].client(tokens["FLOTILLA_MANDATE_BILLING"]) as client:
            yield client, tokens


def lead(case: Stage, *tools: str, **front: Any) -> None:
    named: dict[str, Any] = {"tools": [f"mcp__billing__{tool}" for tool in tools], **front}
    case.worker("lead", **named)


async def test_a_fixed_bound_is_all_that_the_model_sees_and_all_that_the_server_takes(billing: Stage) -> None:
    fixed = {"billing": {"customer_id": {"const": "{{ inputs.customer_id }}"}}}
    lead(billing, "find_transactions", "get_transaction", bounds=fixed)
    seen = await ask(
        billing,
        ("find_transactions", {"customer_id": "cust_12345", "limit": 1}),
        ("find_transactions", {"customer_id": "cust_48230"}),
        ("find_transactions", {}),
        ("issue_refund", SMALL_REFUND),
    )
    assert set(seen.tools) == {"find_transactions", "get_transaction"}
    schema = seen.tools["find_transactions"]
    assert schema["properties"]["customer_id"] == {"const": "cust_12345"}
    assert "customer_id" in schema["required"]
    own, anothers, everybodys, refund = seen.results
    assert own["items"]
    assert [anothers["code"], everybodys["code"], refund["code"]] == ["out_of_bounds", "out_of_bounds", "unknown_tool"]
    assert seen.refunded_minor() == []


async def test_a_scope_hides_another_customers_charge_from_a_tool_that_takes_no_customer(billing: Stage) -> None:
    lead(billing, "get_transaction")
    (without,) = (await ask(billing, ("get_transaction", {"transaction_id": ANOTHERS}))).results
    billing.playbook["scope"] = SCOPE
    own, anothers, unknown = (
        await ask(
            billing,
            ("get_transaction", {"transaction_id": OWN}),
            ("get_transaction", {"transaction_id": ANOTHERS}),
            ("get_transaction", {"transaction_id": "ch_none"}),
        )
    ).results
    assert without["transaction_id"] == ANOTHERS
    assert own["customer_id"] == "cust_12345"
    assert anothers["code"] == unknown["code"]
    assert anothers["message"].replace(ANOTHERS, "ch_none") == unknown["message"]


async def test_a_rule_of_the_fleet_has_a_refund_approved_that_would_need_none(billing: Stage) -> None:
    lead(billing, "issue_refund")
    refund = ("issue_refund", {**SMALL_REFUND, "idempotency_key": "once"})
    billing.fleet["rules"] = [{"tools": ["mcp__billing__issue_*"], "effect": "approve"}]
    held = await ask(billing, refund)
    assert held.results[0]["code"] == "approval_required"
    assert held.refunded_minor() == []
    billing.fleet["rules"] = []
    assert (await ask(billing, refund)).refunded_minor() == [1000]


async def test_a_rule_that_denies_leaves_the_tool_unknown_to_the_worker(billing: Stage) -> None:
    lead(billing, "issue_refund", "get_refund")
    billing.fleet["rules"] = [
        {"when": {"customer_id": "cust_12345"}, "tools": ["mcp__billing__issue_*"], "effect": "deny"}
    ]
    seen = await ask(billing, ("issue_refund", SMALL_REFUND))
    assert set(seen.tools) == {"get_refund"}
    assert seen.results[0]["code"] == "unknown_tool"


async def test_a_lookup_maps_a_ticket_to_the_customer_whose_records_the_run_may_reach(billing: Stage) -> None:
    from_ticket(billing)
    own, anothers = (
        await ask(
            billing, ("get_transaction", {"transaction_id": OWN}), ("get_transaction", {"transaction_id": ANOTHERS})
        )
    ).results
    assert own["customer_id"] == "cust_12345"
    assert anothers["code"] == "not_found"


@pytest.mark.parametrize(
    ("lookup", "why"),
    [
        ({"arguments": {"ticket_id": "t_none"}}, "There is no ticket t_none."),
        ({"arguments": {"ticket_id": "t_nobody"}}, "must be a text that is not empty"),
        ({"arguments": {"ticket_id": "{{ inputs.ticket }}"}}, "'dict object' has no attribute 'ticket'"),
        ({"arguments": {}}, "ticket_id"),
        ({"tool": "mcp__desk__die"}, "`die` does not say that it only reads"),
        ({"tool": "mcp__desk__get_tickets"}, "the server desk has no tool `get_tickets`"),
        ({"tool": "mcp__desk__list_tickets", "arguments": {}}, "no attribute 'customer_id'"),
    ],
)
async def test_a_lookup_that_finds_nothing_ends_the_run_before_the_first_model_call(
    stage: Stage, lookup: dict[str, Any], why: str
) -> None:
    stage.fleet["servers"]["billing"] = {"command": ["flotilla-billing", "--demo-data"]}
    from_ticket(stage, **lookup)
    played = await stage.play(DONE)
    assert played.error["code"] == "lookup_failed", played.error
    assert why in played.error["message"]
    assert played.requests == []


def from_ticket(case: Stage, **lookup: Any) -> None:
    """The scope of the case comes from a ticket of the help desk."""
    case.fleet["servers"].setdefault("desk", own_desk())
    lead(case, "get_transaction")
    ticket = {"tool": "mcp__desk__get_ticket", "arguments": {"ticket_id": "t_maya"}}
    case.playbook["lookups"] = {"ticket": {**ticket, **lookup}}
    case.playbook["scope"] = {"billing": {"customer_id": "{{ lookups.ticket.customer_id }}"}}


async def test_a_bound_is_refused_for_a_server_that_would_not_hold_it(stage: Stage, open_desk: str) -> None:
    stage.fleet["servers"]["desk"] = {"url": open_desk}
    stage.worker("lead", "list_tickets", bounds={"desk": {"customer_id": {"const": "cust_1"}}})
    played = await stage.play(DONE)
    assert played.error["code"] == "mandates_ignored"
    assert played.requests == []


async def test_a_server_elsewhere_that_does_not_know_our_keys_is_said_to_want_them(
    stage: Stage, tmp_path: Path
) -> None:
    stage.worker("lead", "get_ticket")
    (tmp_path / "home" / "keys" / "public.json").unlink()
    for key in (tmp_path / "home" / "keys").glob("*.jwk"):
        key.unlink()
    played = await stage.play(DONE)
    assert played.error["code"] == "server_failed"
    assert "--mandate-keys" in played.error["suggestion"]


async def test_the_private_half_of_a_runs_key_is_on_no_disk_and_the_public_one_goes_with_the_run(
    billing: Stage,
) -> None:
    lead(billing, "get_transaction")
    billing.write_all({})
    async with connected(billing) as (_, tokens):
        (published,) = (billing.home / "runs").glob("*mandate-keys.json")
        assert '"d"' not in published.read_text()
        assert published.stat().st_mode & 0o777 == 0o644
        written = billing.everything_written()
    assert not published.exists()
    assert not [token for token in tokens.values() if token in written]


async def test_a_broken_key_ring_is_named(stage: Stage) -> None:
    stage.worker("lead", "get_ticket")
    next((stage.home / "keys").glob("*.jwk")).write_text("{}")
    played = await stage.play(DONE)
    assert played.error["code"] == "bad_keys"
    assert "corrupt" in played.error["message"]

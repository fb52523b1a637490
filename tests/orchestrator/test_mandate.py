"""What a mandate says, from a worker's file, the fleet's rules, the run's inputs and what was looked up."""

import time
from typing import Any

import jwt
import pytest
from flotilla_kit.identity.keys import SigningKey
from flotilla_kit.identity.mandate import Mandate
from flotilla_orchestrator.config.fleet import Rule
from flotilla_orchestrator.config.playbooks import Playbook
from flotilla_orchestrator.config.workers import Worker
from flotilla_orchestrator.errors import Failure
from flotilla_orchestrator.mandates.claims import (
    AuthorizationDetail,
    Minter,
    RunFacts,
    Tool,
    approval_details,
    resolve_scopes,
    worker_details,
)

CUSTOMER: dict[str, Any] = {"properties": {"customer_id": {"type": "string"}}}
TOOLS = {
    "get_charge": Tool({"properties": {"charge_id": {"type": "string"}}}, read_only=True),
    "find_charges": Tool(CUSTOMER, read_only=True),
    "delete_charge": Tool(CUSTOMER, read_only=False),
}
CASE = RunFacts({"customer_id": "cust_1", "environment": "production"})
ALL = [f"mcp__billing__{tool}" for tool in TOOLS]


def worker(*tools: str, **fields: Any) -> Worker:
    return Worker(name="clerk", description="x", tools=list(tools or ALL), prompt="x", **fields)


def of(given: Worker, *rules: Rule, facts: RunFacts = CASE) -> list[AuthorizationDetail]:
    return worker_details(given, "billing", facts, rules, TOOLS)


def rule(effect: str, *tools: str, **when: Any) -> Rule:
    return Rule.model_validate({"effect": effect, "tools": list(tools), "when": when})


def test_a_token_says_exactly_who_may_do_what_where_and_until_when() -> None:
    key = SigningKey.generate()
    granted: list[AuthorizationDetail] = [{"type": "mcp_tool", "tool": "get_charge"}]
    before = int(time.time())
    token = Minter(key, "run_1").mint("billing", "clerk", granted, {"customer_id": "cust_1"}, 300)
    claims = jwt.decode(token, jwt.PyJWK(dict(key.public_jwk())), audience="billing")
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "JWT", "kid": key.kid}
    issued = claims.pop("iat")
    assert before <= issued <= time.time()
    assert len(claims.pop("jti")) == 32
    assert claims == {
        "iss": "flotilla",
        "sub": "clerk",
        "aud": "billing",
        "run": "run_1",
        "nbf": issued,
        "exp": issued + 300,
        "authorization_details": granted,
        "scope": {"customer_id": "cust_1"},
    }


def test_no_token_lives_longer_than_59_minutes_and_no_two_are_the_same() -> None:
    minter = Minter(SigningKey.generate(), "run_1")
    tokens = [minter.mint("billing", "clerk", [], lifetime_s=86_400) for _ in range(2)]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert {claim["exp"] - claim["iat"] for claim in claims} == {59 * 60}
    assert claims[0]["jti"] != claims[1]["jti"]


def test_a_mandate_too_large_for_a_request_is_said_here_and_not_refused_there() -> None:
    granted: list[AuthorizationDetail] = [{"type": "mcp_tool", "tool": f"tool_{n}"} for n in range(400)]
    with pytest.raises(Failure, match="are the most"):
        Minter(SigningKey.generate(), "run_1").mint("billing", "clerk", granted)


def test_a_bound_is_filled_in_and_held_by_each_tool_that_takes_the_argument() -> None:
    bounded = worker(bounds={"billing": {"customer_id": {"const": "{{ inputs.customer_id }}"}}})
    held = {"properties": {"customer_id": {"const": "cust_1"}}, "required": ["customer_id"]}
    assert of(bounded) == [
        {"type": "mcp_tool", "tool": "get_charge"},
        {"type": "mcp_tool", "tool": "find_charges", "arguments": held},
        {"type": "mcp_tool", "tool": "delete_charge", "arguments": held},
    ]


def test_a_bound_may_come_from_a_lookup() -> None:
    bounded = worker(ALL[1], bounds={"billing": {"customer_id": {"const": "{{ lookups.account.customer }}"}}})
    (detail,) = of(bounded, facts=RunFacts({}, {"account": {"customer": "cust_7"}}))
    assert detail["arguments"] == {"properties": {"customer_id": {"const": "cust_7"}}, "required": ["customer_id"]}


@pytest.mark.parametrize(
    ("bound", "why"),
    [
        ({"amount": {"maximum": 5}}, "none of its tools of billing takes this argument"),
        ({"customer_id": {"const": "{{ inputs.account_id }}"}}, "account_id"),
        ({"customer_id": {"maxLength": "{{ inputs.customer_id }}"}}, "filled in, it is no bound that servers enforce"),
    ],
)
def test_a_bound_that_cannot_hold_is_no_mandate(bound: dict[str, Any], why: str) -> None:
    with pytest.raises(Failure) as caught:
        of(worker(bounds={"billing": bound}))
    assert caught.value.code == "bad_bound"
    assert why in caught.value.message


def test_a_rule_denies_a_tool_or_has_each_of_its_calls_approved() -> None:
    assert [detail["tool"] for detail in of(worker(), rule("deny", "mcp__billing__*_charge"))] == ["find_charges"]
    approved = of(worker(), rule("approve", "mcp__billing__delete_*"))
    assert {detail["tool"]: detail.get("approval") for detail in approved} == {
        "get_charge": None,
        "find_charges": None,
        "delete_charge": "required",
    }


def test_deny_is_stricter_than_approve_whichever_comes_first() -> None:
    both = [rule("approve", "mcp__billing__delete_*"), rule("deny", "mcp__billing__delete_charge")]
    for rules in (both, both[::-1]):
        assert "delete_charge" not in [detail["tool"] for detail in of(worker(), *rules)]


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"environment": "production", "customer_id": "cust_2"}, False),
        ({"region": "eu"}, False),
    ],
)
def test_a_rule_holds_for_runs_with_all_of_its_inputs(when: dict[str, str], holds: bool) -> None:
    granted = of(worker(), rule("deny", "mcp__billing__delete_charge", **when))
    assert ("delete_charge" not in [detail["tool"] for detail in granted]) is holds


def test_a_pattern_of_approve_passes_over_tools_that_only_read_but_naming_one_is_an_error() -> None:
    approved = of(worker(), rule("approve", "mcp__billing__*"))
    assert [detail["tool"] for detail in approved if "approval" in detail] == ["delete_charge"]
    with pytest.raises(Failure, match="mcp__billing__get_charge changes nothing") as caught:
        of(worker(), rule("approve", "mcp__billing__get_charge"))
    assert caught.value.code == "bad_rule"


def test_resources_are_named_beside_the_tools() -> None:
    reading = worker(ALL[0], resources=["knowledge://policies/*"])
    assert of(reading)[-1] == {"type": "mcp_resource", "uri": "knowledge://policies/*"}


def test_every_server_understands_what_is_minted() -> None:
    bounded = worker(bounds={"billing": {"customer_id": {"const": "cust_1"}}}, resources=["knowledge://policies/*"])
    granted = of(bounded, rule("approve", "mcp__billing__delete_charge"))
    mandate = Mandate.of({"authorization_details": approval_details(granted), "scope": {"customer_id": "cust_1"}})
    assert set(mandate.tools) == {*TOOLS, "request_approval", "get_approval"}
    assert mandate.tools["delete_charge"].approval_required
    assert mandate.tools["find_charges"].breach({"customer_id": "cust_2"})
    assert mandate.may_read("knowledge://policies/refunds")


def test_who_asks_for_approvals_has_the_workers_mandate_and_each_tool_once() -> None:
    named: list[AuthorizationDetail] = [{"type": "mcp_tool", "tool": "request_approval"}]
    assert [detail["tool"] for detail in approval_details(named)] == ["request_approval", "get_approval"]


def test_a_worker_that_names_a_tool_twice_gets_it_once() -> None:
    assert len(of(worker(ALL[0], ALL[0]))) == 1


def playbook(scope: str, **inputs: Any) -> tuple[Playbook, RunFacts]:
    made = Playbook(
        name="case",
        description="x",
        lead="clerk",
        output={"type": "object"},
        scope={"billing": {"customer_id": scope}},
    )
    return made, RunFacts(inputs, {"ticket": {"customer_id": "cust_9", "rank": 3}})


def test_a_scope_is_a_text_from_inputs_or_lookups() -> None:
    assert resolve_scopes(*playbook("{{ inputs.id }}", id="cust_1")) == {"billing": {"customer_id": "cust_1"}}
    assert resolve_scopes(*playbook("{{ lookups.ticket.customer_id }}")) == {"billing": {"customer_id": "cust_9"}}


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ("{{ inputs.nothing }}", "bad_scope"),
        ("{{ inputs.empty }}", "bad_scope"),
        ("{{ inputs.number }}", "bad_scope"),
        ("{{ lookups.ticket.account }}", "lookup_failed"),
        ("{{ lookups.ticket.rank }}", "lookup_failed"),
    ],
)
def test_a_scope_that_is_no_text_ends_the_run_before_it_starts(scope: str, code: str) -> None:
    with pytest.raises(Failure, match=r"case: `scope\.billing\.customer_id`") as caught:
        resolve_scopes(*playbook(scope, empty=" ", number=5))
    assert caught.value.code == code

"""What a caller meets at every server: only what its mandate names, within bounds and limits, and one audit record."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from fastmcp.tools import tool
from flotilla_kit import audit
from flotilla_kit.identity.keys import SigningKey, write_jwks
from flotilla_kit.server import build_server
from flotilla_kit.settings import SettingsError
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from flotilla_kit.tools import DESTROY
from pytest import mark, raises
from support.answers import answer_of
from support.till import TOOLS, Settings, Till, TillStore, pay
from support.tokens import worker_claims

BOUND = {"type": "mcp_tool", "tool": "say", "arguments": {"properties": {"text": {"const": "hello"}}}}


@pytest.fixture
def till(tmp_path: Path) -> Till:
    return Till(tmp_path)


async def call(client: Client[FastMCPTransport], name: str, **arguments: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool(name, arguments, raise_on_error=False))


async def once(till: Till, name: str, arguments: Mapping[str, Any], **settings: object) -> dict[str, Any]:
    async with Client(till.server(**settings)) as client:
        return await call(client, name, **arguments)


async def records(till: Till) -> list[dict[str, Any]]:
    database = await Database.open(store_url(till.settings()), [KIT_MIGRATIONS], read_only=True)
    try:
        return await database.read(lambda connection: list(audit.export(connection)))
    finally:
        await database.close()


async def test_a_worker_sees_only_what_it_was_granted(till: Till) -> None:
    async with Client(till.server(mandate=till.mandate("say", "get_approval"))) as client:
        assert {tool.name for tool in await client.list_tools()} == {"say", "get_approval"}


async def test_an_owner_sees_every_tool_but_those_of_approvals(till: Till) -> None:
    async with Client(till.server()) as client:
        assert {tool.name for tool in await client.list_tools()} == {"say", "wait", "whose", "pay"}
        assert (await call(client, "decide_approval", approval_id="x", decision="approve"))["code"] == "unknown_tool"


async def test_an_approver_can_decide_and_nothing_else(till: Till) -> None:
    async with Client(till.server(mandate=till.approver())) as client:
        assert {tool.name for tool in await client.list_tools()} == {
            "get_approval",
            "list_approvals",
            "decide_approval",
        }
        assert (await call(client, "say", text="x"))["code"] == "unknown_tool"


async def test_a_worker_cannot_be_granted_a_decision(till: Till) -> None:
    mandate = till.mandate("pay", "decide_approval", "list_approvals")
    async with Client(till.server(mandate=mandate)) as client:
        assert {tool.name for tool in await client.list_tools()} == {"pay"}
        refused = await call(client, "decide_approval", approval_id="apr_" + "0" * 20, decision="approve")
        assert refused["code"] == "unknown_tool"


async def test_a_bound_that_fixes_a_value_is_in_the_listed_schema(till: Till) -> None:
    async with Client(till.server(mandate=till.mandate(BOUND))) as client:
        (listed,) = await client.list_tools()
    assert listed.input_schema["properties"]["text"] == {"const": "hello"}
    assert listed.input_schema["required"] == ["text"]


@mark.parametrize(
    ("bounds", "arguments"),
    [
        ({"properties": {"text": {"const": "hello"}}}, {"text": "bye"}),
        ({"properties": {"times": {"maximum": 3}}}, {"text": "x", "times": 4}),
        ({"properties": {"times": {"const": 2}}}, {"text": "x"}),
        ({"properties": {"tone": {"const": "calm"}}}, {"text": "x"}),
        ({"properties": {"tone": {"const": "calm"}}}, {"text": "x", "tone": None}),
        ({"properties": {"tone": {"maxLength": 5}}}, {"text": "x"}),
        ({"properties": {"unknown": {"const": 1}}}, {"text": "x"}),
        ({"required": ["tone"], "properties": {"tone": {"type": "string"}}}, {"text": "x"}),
        ({"properties": {"text": {"format": "date"}}}, {"text": "tomorrow"}),
        ({"properties": {"times": {"anyOf": [{"const": 1}, {"minimum": 9}]}}}, {"text": "x", "times": 2}),
    ],
)
async def test_arguments_out_of_bounds_are_refused(
    till: Till, bounds: dict[str, object], arguments: dict[str, object]
) -> None:
    granted: dict[str, object] = {"type": "mcp_tool", "tool": "say", "arguments": bounds}
    refused = await once(till, "say", arguments, mandate=till.mandate(granted))
    assert refused["code"] == "out_of_bounds"


async def test_a_bound_that_speaks_of_null_allows_it(till: Till) -> None:
    granted = {"type": "mcp_tool", "tool": "say", "arguments": {"properties": {"tone": {"enum": ["calm", None]}}}}
    assert await once(till, "say", {"text": "x"}, mandate=till.mandate(granted)) == {"result": "x"}


async def test_a_default_within_the_bound_is_within_it(till: Till) -> None:
    granted: dict[str, object] = {
        "type": "mcp_tool",
        "tool": "say",
        "arguments": {"properties": {"times": {"maximum": 3}}},
    }
    assert await once(till, "say", {"text": "x"}, mandate=till.mandate(granted)) == {"result": "x"}


NOT_UNDERSTOOD: list[dict[str, object]] = [
    {"authorization_details": [{"type": "mcp_tool", "tool": "say", "argument": {}}]},
    {"authorization_details": [{"type": "mcp_tool", "tool": "say", "approval": "never"}]},
    {"authorization_details": [{"type": "mcp_tool", "tool": "say"}] * 2},
    {"authorization_details": [{"type": "mcp_tool", "tool": "say", "arguments": {"type": 3}}]},
    *(
        {"authorization_details": [{"type": "mcp_tool", "tool": "say", "arguments": bounds}]}
        for bounds in (
            {"times": {"maximum": 3}},  # each of these would bind nothing
            {"propertes": {"times": {"maximum": 3}}},
            {"properties": {"times": {"maximun": 3}}},
            {"properties": {"times": {"anyOf": [{"maximun": 3}]}}},
            {"properties": {"text": {"format": "unheard-of"}}},
            {"properties": {"text": {"$ref": "http://127.0.0.1:1/schema"}}},
            {"allOf": [{"properties": {"tone": {"pattern": "^calm$"}}}]},
        )
    ),
    {"authorization_details": [{"type": "other", "tool": "say"}]},
    {"authorization_details": [{"type": "mcp_tool"}]},
    {"authorization_details": {"type": "mcp_tool", "tool": "say"}},
    {"authorization_details": ["say"]},
    {"authorization_details": [{"type": "mcp_tool", "tool": "say"}] * 501},
    {"scope": {"customer_id": "cust_1"}},  # a till has no customers: nothing there could apply it
    {"scope": {"customer_id": None}},
    {"scope": {"customer_id": ""}},
    {"scope": "customer_id"},
    {"run": 7},
    {"aud": "billing"},
    {"exp": 1},
]


@mark.parametrize("claims", NOT_UNDERSTOOD)
async def test_a_mandate_that_is_not_understood_starts_no_server(till: Till, claims: dict[str, object]) -> None:
    with raises(RuntimeError, match="FLOTILLA_MANDATE is refused"):
        await once(till, "say", {"text": "x"}, mandate=till.mandate("say", **claims))


async def test_a_mandate_that_expires_ends_the_session(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Client(till.server(mandate=till.mandate("say"))) as client:
        assert await call(client, "say", text="x") == {"result": "x"}
        monkeypatch.setattr("flotilla_kit.identity.principal.time.time", lambda: 1e11)
        assert (await call(client, "say", text="x"))["code"] == "token_expired"


async def test_a_tool_that_takes_too_long_is_stopped(till: Till) -> None:
    refused = await once(till, "wait", {}, tool_timeout_s=0.05)
    assert (refused["code"], refused["retryable"]) == ("timed_out", True)


async def test_an_answer_that_is_too_large_is_not_sent(till: Till) -> None:
    refused = await once(till, "say", {"text": "x" * 2000}, answer_bytes=1024)
    assert refused["code"] == "answer_too_large"


async def test_each_worker_has_its_own_rate(till: Till) -> None:
    # A burst of two: the call, and the list that the client asks for after it.
    async with Client(till.server(calls_per_second=0.4, mandate=till.mandate("say"))) as client:
        assert await call(client, "say", text="x") == {"result": "x"}
        refused = await call(client, "say", text="x")
    assert (refused["code"], refused["retryable"]) == ("rate_limited", True)
    assert 0 < refused["details"]["retry_after_s"] <= 2.5


async def test_an_empty_mandate_is_no_owner(till: Till) -> None:
    with raises(RuntimeError, match="FLOTILLA_MANDATE is refused"):
        await once(till, "say", {"text": "x"}, mandate="")


async def test_calls_beyond_the_rate_are_recorded_together(till: Till) -> None:
    async with Client(till.server(calls_per_second=0.4, mandate=till.mandate("say"))) as client:
        for _ in range(20):
            await client.call_tool_mcp("say", {"text": "my password"})
    limited = [record for record in await records(till) if record["outcome"] == "rate_limited"]
    assert sum(record["count"] for record in limited) == 19
    assert len(limited) <= 2 and "password" not in str(limited)


async def test_what_a_caller_chooses_does_not_fill_the_audit(till: Till) -> None:
    wild = {f"number_{n}": 10**4000 for n in range(60)} | {"my secret": 1, "text": "x", "times": 10**4000}
    await once(till, "say", wild)
    await once(till, "pay", {"amount": 0, "note": "secret", "idempotency_key": "secret"})
    for record in await records(till):
        assert len(record["arguments"]) < 200 and "secret" not in record["arguments"]


async def test_no_one_approves_by_a_key_that_mints_mandates(till: Till) -> None:
    write_jwks(till.home / "till-approvers.json", [{**till.workers.public_jwk(), "kid": "anna"}])
    signer = SigningKey.from_jwk({**till.workers.private_jwk(), "kid": "anna"})
    said = {"iss": "flotilla-till-approvers", "sub": "anna", "aud": "till", "run": None}
    with raises(RuntimeError, match="shared_key"):
        await once(till, "list_approvals", {}, mandate=signer.sign(worker_claims(**said)))


async def test_a_key_cannot_be_named_after_an_approval(till: Till) -> None:
    refused = await once(till, "pay", {"amount": 1, "idempotency_key": "apr_" + "0" * 20})
    assert refused["code"] == "invalid_arguments"


async def test_every_call_leaves_one_record(till: Till) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("say", {"text": "a secret"}),
        ("say", {"words": "another secret"}),
        ("nothing", {"x": 1}),
        ("pay", {"amount": 5, "note": "a secret", "idempotency_key": "k1"}),
        ("pay", {"amount": 5, "note": "a secret", "idempotency_key": "k1"}),
        ("pay", {"amount": 500}),
        ("pay", {"amount": 5}),
    ]
    mandate = till.mandate("say", "pay")
    async with Client(till.server(mandate=mandate)) as client:
        for name, arguments in calls:
            await call(client, name, **arguments)
    written = await records(till)
    outcomes = sorted((record["tool"], record["outcome"]) for record in written)
    assert outcomes == sorted(
        [
            ("say", "ok"),
            ("say", "invalid_arguments"),
            ("nothing", "unknown_tool"),
            ("pay", "ok"),
            ("pay", "ok"),
            ("pay", "approval_required"),
            ("pay", "idempotency_key_required"),
        ]
    )
    assert {(record["principal"], record["subject"], record["run"]) for record in written} == {
        ("worker", "refund-clerk", "run_1")
    }
    assert "secret" not in str(written)
    assert all(len(record["arguments_digest"]) == 64 for record in written)


def test_a_tool_that_changes_something_declares_its_approval() -> None:
    @tool(annotations=DESTROY)
    async def erase() -> str:
        return ""

    with raises(TypeError, match="does not declare when that needs an approval"):
        build_server(Settings(), TillStore(Settings()), instructions="", tools=[erase])


def test_a_tool_that_takes_no_scoped_argument_says_how_its_store_applies_the_scope() -> None:
    with raises(TypeError, match="say takes no customer_id"):
        build_server(Settings(), TillStore(Settings()), instructions="", tools=TOOLS, scope_keys=["customer_id"])


async def test_an_effect_that_asked_for_no_clearance_does_not_happen(till: Till) -> None:
    class Hasty(TillStore):
        async def pay(self, effect: Any, amount: int) -> None:
            from flotilla_kit import effects

            await self.database.write(effects.record, effect, {})

    settings = till.settings()
    store = Hasty(settings)
    async with Client(build_server(settings, store, instructions="", tools=[pay])) as client:
        assert (await call(client, "pay", amount=1, idempotency_key="k"))["code"] == "internal_error"


def test_who_mints_mandates_cannot_be_who_approves(till: Till) -> None:
    keys = str(till.home / "mandates.json")
    with raises(SettingsError, match="keys of their own"):
        till.server(approver_keys=keys)
    with raises(SettingsError, match="keys of their own"):
        till.server(approver_issuer="flotilla", approver_subjects="anna")
    with raises(SettingsError, match="approver_subjects"):
        till.server(approver_issuer="https://issuer.example")


def test_the_limits_are_safe_when_nobody_sets_them() -> None:
    settings = Settings()
    assert (settings.calls_per_second, settings.tool_timeout_s, settings.answer_bytes) == (20, 30, 262_144)
    assert settings.approval_expires_hours == 24
    assert settings.token_algorithms == ("EdDSA",)

"""The scripted model through the real Agent SDK and its real CLI."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from claude_agent_sdk import McpSdkServerConfig, create_sdk_mcp_server, tool
from flotilla_rehearsal.script import Scripts
from flotilla_rehearsal.server import Rehearsal
from pydantic import JsonValue
from support.claude import play

SCHEMA = {"type": "object", "required": ["amount_minor"], "properties": {"amount_minor": {"type": "integer"}}}
FIND: dict[str, JsonValue] = {
    "call": "mcp__desk__find_charge",
    "arguments": {"customer_id": "{{ task | regex('cust_[0-9a-z]+') }}"},
}


class Desk:
    """An SDK MCP server with two tools, which remembers what reached them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, JsonValue]]] = []

        # The SDK types a tool's arguments and answer as Any.
        @tool("find_charge", "Finds a charge.", {"customer_id": str})
        async def find_charge(arguments: dict[str, Any]) -> dict[str, Any]:
            self.calls.append(("find_charge", arguments))
            charge = {"charge_id": f"ch_{arguments['customer_id']}", "amount_minor": 4900}
            return {"content": [{"type": "text", "text": json.dumps({"items": [charge]})}]}

        @tool("refund", "Refunds a charge.", {"charge_id": str, "amount_minor": int})
        async def refund(arguments: dict[str, Any]) -> dict[str, Any]:
            self.calls.append(("refund", arguments))
            return {"content": [{"type": "text", "text": "refunded"}]}

        self.server: McpSdkServerConfig = create_sdk_mcp_server("desk", tools=[find_charge, refund])


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(autouse=True)
def no_inherited_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("ANTHROPIC_", "CLAUDE_")):
            monkeypatch.delenv(name)


def scripts(*turns: Mapping[str, object]) -> Scripts:
    return Scripts.model_validate({"name": "test", "agents": {"worker": [{"turns": turns}]}})


async def test_an_argument_templated_from_an_earlier_result_reaches_the_tool(desk: Desk, tmp_path: Path) -> None:
    amount = "{{ results.find_charge.items[0].amount_minor }}"
    refund = {"charge_id": "{{ results.find_charge.items[0].charge_id }}", "amount_minor": amount}
    script = scripts(
        FIND, {"say": "Refunding.", "call": "mcp__desk__refund", "arguments": refund}, {"say": "It is {{ last }}."}
    )
    async with Rehearsal(script) as rehearsal:
        played = await play(rehearsal, tmp_path, desk.server)

    assert desk.calls == [
        ("find_charge", {"customer_id": "cust_12345"}),
        ("refund", {"charge_id": "ch_cust_12345", "amount_minor": 4900}),
    ]
    assert played.result.result == "It is refunded."
    assert played.models == {"rehearsal"}
    assert played.result.total_cost_usd
    # Three turns, three requests: the CLI asks for nothing beside the conversation.
    assert [request.answer for request in rehearsal.requests] == ["turn 1", "turn 2", "turn 3"]
    assert {request.tools for request in rehearsal.requests} == {("mcp__desk__find_charge", "mcp__desk__refund")}
    assert {request.session_id for request in rehearsal.requests} == {played.result.session_id}


async def test_a_result_arrives_as_structured_output(desk: Desk, tmp_path: Path) -> None:
    script = scripts(FIND, {"result": {"amount_minor": "{{ last['items'][0].amount_minor }}"}})
    async with Rehearsal(script) as rehearsal:
        played = await play(rehearsal, tmp_path, desk.server, schema=SCHEMA)
    assert played.result.structured_output == {"amount_minor": 4900}


async def test_a_result_of_the_wrong_shape_is_rejected_and_can_be_corrected(desk: Desk, tmp_path: Path) -> None:
    script = scripts(
        {"result": {"amount_minor": "many"}},
        {"if": "{{ 'must be integer' in errors.StructuredOutput }}", "result": {"amount_minor": 1}},
    )
    async with Rehearsal(script) as rehearsal:
        played = await play(rehearsal, tmp_path, desk.server, schema=SCHEMA)
    assert played.result.structured_output == {"amount_minor": 1}


async def test_five_results_of_the_wrong_shape_end_the_session(desk: Desk, tmp_path: Path) -> None:
    script = scripts(*[{"result": {"amount_minor": "many"}}] * 5)
    async with Rehearsal(script) as rehearsal:
        played = await play(rehearsal, tmp_path, desk.server, schema=SCHEMA)
    assert played.result.subtype == "error_max_structured_output_retries"


async def test_a_result_never_given_is_asked_for_once_and_then_missing(desk: Desk, tmp_path: Path) -> None:
    async with Rehearsal(scripts({"say": "All done."}, {"say": "Really."}, {"say": "Unheard."})) as rehearsal:
        played = await play(rehearsal, tmp_path, desk.server, schema=SCHEMA)
    assert (played.result.subtype, played.result.is_error) == ("success", False)
    assert played.result.structured_output is None
    assert [request.answer for request in rehearsal.requests] == ["turn 1", "turn 2"]


async def test_a_call_that_cannot_run_comes_back_as_an_error(desk: Desk, tmp_path: Path) -> None:
    script = scripts(
        {"call": "mcp__desk__pay_everyone", "arguments": {"amount_minor": 1}},
        {**FIND, "misbehave": "bad_arguments"},
        {"result": {"unknown": "{{ errors.pay_everyone }}", "bad": "{{ errors.find_charge }}"}},
    )
    async with Rehearsal(script) as rehearsal:
        played = await play(rehearsal, tmp_path, desk.server)
    assert desk.calls == []
    said = json.loads(played.result.result or "")
    assert "No such tool available: mcp__desk__pay_everyone" in said["unknown"]
    assert "could not be parsed as JSON" in said["bad"]


async def test_failures_that_pass_are_retried_and_no_call_runs_twice(desk: Desk, tmp_path: Path) -> None:
    faults = [401, 429, 500, 529, "malformed", "truncated"]
    script = scripts(*({**FIND, "misbehave": fault, "times": 1} for fault in faults), {"say": "Done."})
    async with Rehearsal(script) as rehearsal:
        played = await play(rehearsal, tmp_path, desk.server)
    assert played.result.result == "Done."
    assert len(desk.calls) == len(faults)
    assert [request.answer for request in rehearsal.requests if ":" in request.answer] == [
        f"turn {number}: {fault}" for number, fault in enumerate(faults, 1)
    ]


@pytest.mark.parametrize(
    ("misbehave", "status", "message"),
    [
        (401, 401, "Failed to authenticate. API Error: 401"),
        (429, 429, "API Error: Request rejected (429)"),
        (500, 500, "API Error: 500"),
        (529, 529, "API Error: 529"),
        ("malformed", None, "API Error: JSON Parse error"),
        ("truncated", None, "API Error: JSON Parse error"),
        ("never", None, "Request timed out"),
    ],
)
async def test_a_failure_that_lasts_ends_the_session_with_an_error(
    misbehave: str | int, status: int | None, message: str, desk: Desk, tmp_path: Path
) -> None:
    async with Rehearsal(scripts({**FIND, "misbehave": misbehave})) as rehearsal:
        env = {"CLAUDE_CODE_MAX_RETRIES": "0", "API_TIMEOUT_MS": "500"}
        played = await play(rehearsal, tmp_path, desk.server, env=env)
    assert (played.result.subtype, played.result.is_error) == ("success", True)
    assert played.result.terminal_reason == "api_error"
    assert played.result.api_error_status == status
    assert (played.result.result or "").startswith(message)
    assert desk.calls == []


async def test_a_script_that_cannot_go_on_ends_the_session_and_says_why(desk: Desk, tmp_path: Path) -> None:
    script = scripts(FIND, {"say": "{{ results.find_charges }}"})
    async with Rehearsal(script) as rehearsal:
        played = await play(rehearsal, tmp_path, desk.server)
    assert played.result.is_error
    assert played.result.api_error_status == 400
    assert "script of worker: turn 2: template '{{ results.find_charges }}'" in (played.result.result or "")


async def test_a_resumed_session_goes_on_where_it_was(desk: Desk, tmp_path: Path) -> None:
    script = scripts(FIND, {"say": "One moment."}, {"say": "{{ task }} {{ results.find_charge.items | length }}"})
    async with Rehearsal(script) as first:
        begun = await play(first, tmp_path, desk.server)
    async with Rehearsal(script) as second:
        played = await play(second, tmp_path, desk.server, resume=begun.result.session_id, task="And?")
    assert begun.result.result == "One moment."
    assert played.result.result == "Look at cust_12345. 1"


async def test_sessions_of_one_agent_run_at_once_each_by_its_own_task(desk: Desk, tmp_path: Path) -> None:
    agents = {
        "worker": [
            {"when": "ledger", "turns": [FIND, {"say": "ledger: {{ last['items'][0].charge_id }}"}]},
            {"turns": [{"say": "policy"}]},
        ]
    }
    tasks = ["LEDGER of cust_1", "ledger of cust_2", "the policy"]
    folders = [tmp_path / str(number) for number in range(len(tasks))]
    for folder in folders:
        folder.mkdir()
    async with Rehearsal(Scripts.model_validate({"name": "test", "agents": agents})) as rehearsal:
        runs = (play(rehearsal, folder, Desk().server, task=task) for folder, task in zip(folders, tasks, strict=True))
        played = await asyncio.gather(*runs)
    assert [one.result.result for one in played] == ["ledger: ch_cust_1", "ledger: ch_cust_2", "policy"]

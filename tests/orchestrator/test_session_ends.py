"""However a session ends, it says so with one code, and its CLI is gone."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from flotilla_orchestrator.sessions.session import run_session
from flotilla_orchestrator.sessions.types import SessionResult
from support.desk import GRANTED, Desk, running_desk
from support.sessions import Heard, claude_processes, scripted, session

SCHEMA = {"type": "object", "required": ["amount_minor"], "properties": {"amount_minor": {"type": "integer"}}}
FIND: dict[str, Any] = {"call": GRANTED, "arguments": {"customer_id": "cust_12345"}}


def failure_of(result: SessionResult) -> str:
    assert result.failure is not None
    assert result.structured is None
    assert claude_processes(os.getpid()) == []
    return result.failure.code


async def test_a_dead_server_ends_it_before_the_first_model_call(tmp_path: Path) -> None:
    dead = Desk("http://127.0.0.1:9/mcp")  # the discard port: nobody listens
    async with scripted({"say": "Never asked."}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, dead), Heard())
    assert failure_of(result) == "server_unavailable"
    assert result.failure
    assert "desk" in result.failure.message
    assert list(rehearsal.requests) == []


async def test_a_session_in_a_queue_waits_for_a_server_that_is_being_restarted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    dead = Desk(f"http://127.0.0.1:{port}/mcp")
    async with scripted(FIND, {"say": "{{ last.charge_id }}"}) as rehearsal:
        running = asyncio.create_task(run_session(session(rehearsal, tmp_path, dead, restart_s=15), Heard()))
        assert not (await asyncio.wait([running], timeout=3))[0]
        assert list(rehearsal.requests) == []
        async with running_desk(port):
            result = await running
    assert (result.failure, result.text) == (None, "ch_cust_12345")


async def test_a_model_that_never_stops_is_stopped_after_its_turns(tmp_path: Path) -> None:
    async with running_desk() as desk, scripted(*[FIND] * 5) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, desk, max_turns=2), Heard())
    assert failure_of(result) == "turns_exceeded"
    assert result.turns == 2
    assert result.cost_usd


async def test_dollars_that_are_used_up_stop_it(tmp_path: Path) -> None:
    async with running_desk() as desk, scripted(FIND, FIND, {"say": "Done."}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, desk, budget_usd=0.000001), Heard())
    assert failure_of(result) == "budget_exceeded"
    assert len(rehearsal.requests) == 1
    assert result.cost_usd


async def test_the_wall_clock_stops_a_model_that_never_answers(tmp_path: Path) -> None:
    async with running_desk() as desk, scripted(FIND, {"misbehave": "never"}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, desk, wall_clock_s=2.5), Heard())
    assert failure_of(result) == "wall_clock_exceeded"
    assert result.turns == 1
    assert result.duration_s < 8


async def test_the_wall_clock_holds_while_a_session_still_connects(tmp_path: Path) -> None:
    async with running_desk() as desk, scripted({"say": "Late."}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, desk, wall_clock_s=0.05), Heard())
    assert failure_of(result) == "wall_clock_exceeded"
    assert list(rehearsal.requests) == []


@pytest.mark.parametrize(
    ("misbehave", "code", "retryable"),
    [
        (401, "authentication_failed", False),
        (429, "rate_limited", True),
        (500, "model_error", True),
        (529, "overloaded", True),
        ("malformed", "model_error", True),
        ("truncated", "model_error", True),
    ],
)
async def test_a_model_that_fails_is_named(misbehave: str | int, code: str, retryable: bool, tmp_path: Path) -> None:
    async with scripted({"misbehave": misbehave, "say": "Never said."}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, wall_clock_s=15), Heard())
    assert failure_of(result) == code
    assert result.failure
    assert result.failure.retryable is retryable


async def test_a_model_that_recovers_is_asked_again(tmp_path: Path) -> None:
    async with scripted({"misbehave": 529, "times": 1, "say": "Back."}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, retries=2), Heard())
    assert result.failure is None
    assert result.text == "Back."


async def test_a_session_that_never_gives_the_result_asked_for_has_failed(tmp_path: Path) -> None:
    async with scripted({"say": "All is well."}, {"say": "Really."}, {"say": "Truly."}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, output_schema=SCHEMA), Heard())
    assert failure_of(result) == "no_structured_output"


async def test_a_result_that_keeps_missing_the_schema_has_failed(tmp_path: Path) -> None:
    async with scripted(*[{"result": {"amount_minor": "many"}}] * 6) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, output_schema=SCHEMA), Heard())
    assert failure_of(result) == "invalid_output"


async def test_a_schema_stricter_than_the_clis_is_still_kept(tmp_path: Path) -> None:
    schema = {**SCHEMA, "properties": {"amount_minor": {"type": "integer", "multipleOf": 100}}}
    async with scripted(*[{"result": {"amount_minor": 4901}}] * 6) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, output_schema=schema), Heard())
    assert failure_of(result) == "invalid_output"


async def test_a_cli_that_dies_is_named_and_its_open_call_is_ended(tmp_path: Path) -> None:
    class Killer(Heard):
        async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
            await super().call_started(call_id, tool, arguments)
            for pid in claude_processes(os.getpid()):
                os.kill(pid, signal.SIGKILL)

    heard = Killer()
    async with running_desk() as desk, scripted(FIND, {"say": "Done."}) as rehearsal:
        result = await run_session(session(rehearsal, tmp_path, desk), heard)
    assert failure_of(result) == "cli_failed"
    assert heard.ended == [(GRANTED, "interrupted")]

"""Servers of a run: what is dead or missing is said before the model is asked anything."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from dataclasses import replace

import pytest
from flotilla_orchestrator.config.files import load
from flotilla_orchestrator.fleet.approvals import ServerUnavailable
from flotilla_orchestrator.fleet.connection import ServerConnection
from flotilla_orchestrator.fleet.server_pool import ServerPool
from flotilla_orchestrator.mandates.claims import tool_details
from support.commands import Watched, descendants
from support.desk import running_desk
from support.processes import clean_environment
from support.stage import DESK, Stage, answer, call, own_desk

pytestmark = pytest.mark.cli_double

DONE = {"lead": [answer("done")]}


async def test_a_command_is_started_for_the_run_and_ended_with_it(stage: Stage) -> None:
    stage.fleet["servers"] = {"desk": {"command": DESK}}
    stage.worker("lead", "get_ticket")
    played = await stage.play({"lead": [call("get_ticket", ticket_id="t_1"), answer("{{ last.customer_id }}")]})
    assert played.run.output == {"answer": "cust_1"}
    log = stage.home / "runs" / played.run.run_id / "desk.log"
    assert '"listening"' in log.read_text()


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"command": [sys.executable, "-c", "raise SystemExit('no money')"]}, "ended with 1: no money"),
        ({"command": ["flotilla-nowhere"]}, "cannot be started"),
        ({"url": "http://127.0.0.1:9/mcp"}, "does not answer"),
    ],
)
async def test_a_dead_server_fails_the_run_before_the_first_model_call(
    stage: Stage, server: dict[str, object], said: str
) -> None:
    stage.fleet["servers"] = {"desk": server}
    stage.worker("lead", "get_ticket")
    played = await stage.play(DONE)
    assert played.error["code"] == "server_failed"
    assert said in played.error["message"]
    assert played.requests == []


async def test_every_missing_tool_is_named_with_its_worker_and_the_closest_that_another_names(stage: Stage) -> None:
    stage.worker("other", "get_ticket", "list_tickets")  # a server tells of nothing that no mandate names
    stage.worker("lead", "get_tickets", delegates=["helper"])
    stage.worker("helper", "list_ticket")
    played = await stage.play(DONE)
    assert played.error["code"] == "missing_tools"
    assert played.error["message"].splitlines() == [
        "lead: the server desk has no tool `get_tickets`; did you mean `get_ticket`?",
        "helper: the server desk has no tool `list_ticket`; did you mean `list_tickets`?",
    ]
    assert played.requests == []


async def test_a_server_that_lets_everyone_in_tells_all_its_tools(stage: Stage, open_desk: str) -> None:
    stage.fleet["servers"]["desk"] = {"url": open_desk}
    stage.worker("lead", "get_tickets")
    played = await stage.play(DONE)
    assert played.error["message"] == ("lead: the server desk has no tool `get_tickets`; did you mean `get_ticket`?")


async def test_a_server_that_no_worker_of_the_playbook_uses_is_not_started(stage: Stage) -> None:
    stage.fleet["servers"]["other"] = {"command": ["flotilla-nowhere"]}
    stage.worker("lead", "get_ticket")
    played = await stage.play(DONE)
    assert played.run.status == "ok"


async def test_a_server_that_dies_in_the_middle_fails_the_call_and_not_silently(stage: Stage) -> None:
    stage.fleet["servers"] = {"desk": own_desk()}
    stage.worker("lead", "die")
    played = await stage.play({"lead": [call("die"), answer("{{ errors.die is defined }} it failed")]})
    assert played.run.output == {"answer": "True it failed"}
    assert played.span("die").status == "failed"


async def test_a_header_takes_its_value_from_the_environment(stage: Stage, open_desk: str) -> None:
    stage.fleet["servers"]["desk"] = {"url": open_desk, "headers": {"Authorization": "Bearer ${DESK_TOKEN}"}}
    stage.worker("lead", "get_ticket")
    without = await stage.play(DONE)
    assert without.error["code"] == "missing_variable"
    assert "DESK_TOKEN" in without.error["message"]
    played = await stage.play(
        {"lead": [call("get_ticket", ticket_id="t_1"), answer("{{ last.customer_id }}")]},
        environment={"DESK_TOKEN": "secret-token"},
    )
    assert played.run.output == {"answer": "cust_1"}
    assert "secret-token" not in stage.everything_written()


async def test_a_server_started_here_sees_its_own_settings_but_no_credential_of_claude(stage: Stage) -> None:
    tell = "import json, os, sys; sys.exit(json.dumps(dict(os.environ)))"
    stage.fleet["servers"] = {"desk": {"command": [sys.executable, "-c", tell], "env": ["DESK_API_KEY"]}}
    stage.worker("lead", "get_ticket")
    own = {"FLOTILLA_DESK_COLOUR": "blue", "DESK_API_KEY": "own-key"}
    foreign = {"ANTHROPIC_API_KEY": "sk-canary", "FLOTILLA_OTHER_TOKEN": "other-canary", "GITHUB_TOKEN": "third-canary"}
    played = await stage.play(DONE, environment={**own, **foreign})
    seen = (stage.home / "runs" / played.run.run_id / "desk.log").read_text()
    assert "blue" in seen
    assert "own-key" in seen
    assert "canary" not in seen


async def test_a_live_run_differs_from_a_rehearsed_one_by_key_and_address_alone(stage: Stage) -> None:
    stage.worker("lead", "get_ticket")
    turns = [call("get_ticket", ticket_id="t_1"), answer("{{ last.customer_id }}")]
    rehearsed = await stage.play({"lead": turns})
    live = await stage.play({"lead": turns}, live="lead")
    assert live.run.output == rehearsed.run.output == {"answer": "cust_1"}
    assert (live.run.model, rehearsed.run.model) == ("claude", "rehearsal")
    assert [request.tools for request in live.requests] == [request.tools for request in rehearsed.requests]


async def test_a_bound_holds_for_every_tool_that_takes_the_argument(stage: Stage) -> None:
    stage.playbook["inputs"] = {"type": "object", "properties": {"customer_id": {"type": "string"}}}
    stage.worker("lead", "list_tickets", bounds={"desk": {"customer_id": {"const": "{{ inputs.customer_id }}"}}})
    turns = [
        call("list_tickets", "all"),
        call("list_tickets", "other", customer_id="cust_2"),
        call("list_tickets", "own", customer_id="cust_1"),
        answer("{{ errors.all is defined }} {{ errors.other is defined }} {{ results.own | tojson }}"),
    ]
    played = await stage.play({"lead": turns}, inputs={"customer_id": "cust_1"})
    assert played.run.output == {"answer": 'True True {"items": ["t_1"]}'}
    calls = [span for span in played.spans if span.kind == "tool"]
    assert [span.status for span in calls] == ["failed", "failed", "ok"]
    assert all("out_of_bounds" in str(span.attributes["error"]) for span in calls[:2])


async def test_a_bound_that_no_tool_can_hold_is_an_error_before_the_first_model_call(stage: Stage) -> None:
    stage.worker("lead", "get_ticket", bounds={"desk": {"customer_id": {"const": "cust_1"}}})
    played = await stage.play(DONE)
    assert played.error["code"] == "bad_bound"
    assert played.requests == []


async def test_a_server_that_dies_between_two_runs_is_started_again_at_its_address(stage: Stage) -> None:
    stage.fleet["servers"] = {"desk": {"command": DESK}}
    stage.worker("lead", "get_ticket")
    stage.write_all(DONE)
    keys, environ = stage.home / "keys", clean_environment(stage.home)
    async with ServerPool(load(stage.configs), logs=stage.home, keys=keys, environ=environ) as servers:
        first = (await servers.fleet(["desk"], "run_1")).servers["desk"]
        (pid,) = [pid for pid, command in descendants(os.getpid()).items() if str(stage.home) in command]
        watched = Watched({pid: "desk"})
        os.kill(pid, signal.SIGKILL)
        assert await asyncio.to_thread(watched.alive_after, 15) == []
        async with asyncio.timeout(60):
            while not await answers(first):
                continue
        second = (await servers.fleet(["desk"], "run_2")).servers["desk"]
    assert (second.url, [minted.minter and minted.minter.run_id for minted in (first, second)]) == (
        first.url,
        ["run_1", "run_2"],
    )


async def test_a_call_in_a_queue_waits_for_a_server_that_is_being_restarted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    away = ServerConnection("desk", f"http://127.0.0.1:{port}/mcp", {}, {}, local=True, audience="desk", minter=None)
    with pytest.raises(ServerUnavailable):
        await away.call("", "find_charge", {"customer_id": "c_1"})
    calling = asyncio.create_task(replace(away, restart_s=30).call("", "find_charge", {"customer_id": "c_1"}))
    assert not (await asyncio.wait([calling], timeout=0.6))[0]
    async with running_desk(port) as desk:
        assert await calling == {"charge_id": "ch_c_1", "amount_minor": 4900}
    assert len(desk.calls) == 1


async def answers(desk: ServerConnection) -> bool:
    """With the mandate it was told of at first."""
    with contextlib.suppress(Exception):
        return bool(await desk.list_tools(desk.mandate("flotilla", tool_details(["get_ticket"]))))
    return False

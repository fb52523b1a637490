"""A server that fails again and again is left alone for a while, and no run pays for finding out."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from flotilla_kit.storage import Database
from flotilla_orchestrator.config.limits import BreakerLimits
from flotilla_orchestrator.errors import Failure
from flotilla_orchestrator.fleet.circuit_breaker import CircuitBreaker, is_outage
from flotilla_orchestrator.journal.journal import MIGRATIONS
from support.commands import flotilla
from support.stage import Played, Stage, answer, call, delegate, own_desk
from support.trees import shown

pytestmark = pytest.mark.cli_double

GONE = [sys.executable, "-c", "raise SystemExit(1)"]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


LEAD = [
    delegate(("killer", "end it"), id="killed"),
    delegate(("helper", "one"), id="first"),
    delegate(("helper", "two"), id="second"),
    answer("{{ results.second.reports[0].error | tojson }}"),
]


def with_a_server_that_dies(stage: Stage, **breaker: float) -> Stage:
    """It is the run's own, so each run begins with one that answers; what has died does not start again."""
    stage.fleet["servers"] = {"desk": own_desk("--grave", grave(stage))}
    stage.fleet["limits"] |= {"breaker": breaker, "session": {"wall_clock_s": 120}}
    stage.playbook["limits"] = {"wall_clock_s": 300, "max_turns": 60}
    stage.worker("lead", delegates=["killer", "helper"])
    stage.worker("killer", "die")
    stage.worker("helper", "get_ticket")
    return stage


def grave(stage: Stage) -> Path:
    return stage.home.parent / "grave"


async def dying(stage: Stage) -> Played:
    played = await stage.play(
        {"lead": LEAD, "killer": [call("die"), {"say": "dead"}], "helper": [{"say": "never asked"}]}
    )
    grave(stage).unlink()
    return played


async def looking(stage: Stage) -> Played:
    """Another run, whose desk is alive."""
    helper = [call("get_ticket", ticket_id="t_1"), {"say": "{{ last.customer_id }}"}]
    lead = [delegate(("helper", "look")), answer("{{ results.delegate.reports[0] | tojson }}")]
    return await stage.play({"lead": lead, "killer": [{"say": "never asked"}], "helper": helper})


def answered(played: Played) -> dict[str, Any]:
    assert played.run.output, played.run.error
    return json.loads(str(played.run.output["answer"]))


@pytest.mark.real_cli
async def test_a_dead_server_opens_its_circuit_and_sessions_that_need_it_fail_at_once(stage: Stage) -> None:
    with_a_server_that_dies(stage)
    played = await dying(stage)
    error = answered(played)
    assert (error["code"], error["retryable"], error["details"]["server"]) == ("server_circuit_open", True, "desk")
    assert 0 < error["details"]["retry_after_s"] <= 60
    helpers = [span for span in played.spans if span.name == "helper"]
    codes = [error["code"] for span in helpers if isinstance(error := span.attributes["error"], dict)]
    assert codes == ["server_unavailable", "server_unavailable", "server_circuit_open"]
    circuits: list[Any] = [
        played.span("die").attributes["circuit"],
        *(span.attributes.get("circuit") for span in helpers),
    ]
    assert [circuit and (circuit["failures"], circuit["state"]) for circuit in circuits] == [
        (1, "closed"),
        (2, "closed"),
        (3, "open"),
        None,
    ]
    refused = helpers[-1]
    assert (refused.turns, refused.cost_usd, refused.seconds < 1) == (0, 0.0, True)
    assert {request.agent for request in played.requests} == {"lead", "killer"}
    assert "circuit of desk opened" in shown(played.spans)
    assert "server_circuit_open" in shown(played.spans)
    # A server that is down now is no reason not to tell of it.
    gone = stage.write("gone/fleet.yaml", json.dumps({"servers": {"desk": {"command": GONE}}})).parent
    error = json.loads(flotilla(stage.home, "check", "--configs", str(gone), "--json").stdout)["error"]
    assert (error["code"], error["details"]["circuits"][0]["state"]) == ("server_failed", "open")


async def test_an_open_circuit_holds_for_other_runs_and_is_shown_until_a_call_succeeds(stage: Stage) -> None:
    with_a_server_that_dies(stage)
    await dying(stage)
    other = await looking(stage)
    assert answered(other)["error"]["code"] == "server_circuit_open"
    assert {request.agent for request in other.requests} == {"lead"}
    (circuit,) = json.loads(checked(stage, "--json"))["circuits"]
    assert (circuit["server"], circuit["state"], circuit["failures"]) == ("desk", "open", 3)
    assert "desk: 3 failures in a row, the last: " in checked(stage)
    stage.fleet["limits"]["breaker"] = {"open_s": 0.001}  # it is over by now
    assert answered(await looking(stage))["report"] == "cust_1"
    assert json.loads(checked(stage, "--json"))["circuits"] == []


def checked(stage: Stage, *words: str) -> str:
    done = flotilla(stage.home, "check", "--configs", str(stage.configs), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def opened(url: str, clock: Clock) -> tuple[Database, CircuitBreaker]:
    database = await Database.open(url, [MIGRATIONS])
    return database, CircuitBreaker(database, BreakerLimits(failures=2, open_s=60), clock)


async def test_half_open_one_session_tries_and_the_others_wait_for_it(database_url: str) -> None:
    clock = Clock()
    database, breaker = await opened(database_url, clock)
    try:
        await breaker.record_failure("desk", "gone")
        await breaker.check_closed(["desk", "other"])
        assert (await breaker.record_failure("desk", "gone")).state == "open"
        assert await refusal(breaker) == 60
        clock.now += 45
        assert await refusal(breaker) == 15
        clock.now += 15
        await breaker.check_closed(["desk"])
        assert await refusal(breaker) == 60  # until whoever tries has said
        assert (await breaker.record_failure("desk", "still gone")).failures == 3
        clock.now += 60
        await breaker.check_closed(["desk"])
        await breaker.record_success("desk")
        assert await breaker.circuits() == []
        await breaker.check_closed(["desk"])
        await breaker.check_closed(["desk"])
    finally:
        await database.close()


async def refusal(breaker: CircuitBreaker) -> float:
    with pytest.raises(Failure) as caught:
        await breaker.check_closed(["other", "desk"])
    assert caught.value.code == "server_circuit_open"
    left = caught.value.details["retry_after_s"]
    assert isinstance(left, float)
    return left


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        ("ECONNREFUSED: Unable to connect. Is the computer able to access the url?", True),
        ("ECONNRESET: The socket connection was closed unexpectedly.", True),
        ('MCP server "desk" is not connected', True),
        ("MCP error -32000: Connection closed", True),
        ("server_unavailable", True),
        ('{"code": "store_unavailable", "message": "The database does not answer."}', True),
        ('{"code": "timed_out", "message": "The tool took too long."}', True),
        ('{"code": "not_found", "message": "There is no charge ECONNREFUSED."}', False),
        ('{"code": "rate_limited", "message": "Too many calls."}', False),
        ("not_granted", False),
        ("There is no such customer.", False),
    ],
)
def test_only_a_server_that_is_gone_or_broken_counts(error: str, counts: bool) -> None:
    assert is_outage(error) is counts

"""`flotilla run --plan`: what a run would do, with nothing called and nothing recorded."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.commands import flotilla
from support.processes import clean_environment
from support.stage import OUTPUT, Stage

CONFIGS = Path(__file__).parents[2] / "configs"
CASE = ("--configs", CONFIGS, "--input", "customer_id=cust_12345")


def plan(home: Path, playbook: str, *more: str | Path) -> dict[str, Any]:
    done = flotilla(home, "run", playbook, "Look at it.", "--plan", *more, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def servers_of(found: dict[str, Any], worker: str) -> dict[str, dict[str, Any]]:
    (one,) = [planned for planned in found["workers"] if planned["worker"] == worker]
    return {server["server"]: server for server in one["servers"]}


@pytest.fixture
def case(stage: Stage) -> Stage:
    """A playbook of steps, whose customer a lookup finds out."""
    limits = {"max_turns": 4, "budget_usd": 0.1, "wall_clock_s": 60}
    bounds = {"desk": {"customer_id": {"const": "{{ lookups.ticket.customer_id }}"}}}
    stage.worker("reader", "get_ticket", limits=limits)
    stage.worker("clerk", "get_ticket", "list_tickets", "close_ticket", limits=limits, bounds=bounds)
    stage.fleet["rules"] = [
        {"tools": ["mcp__desk__close_ticket"], "effect": "approve"},
        {"tools": ["mcp__desk__list_*"], "effect": "deny", "when": {"ticket_id": "t_1"}},
    ]
    stage.playbook = {
        "name": "case",
        "description": "A case.",
        "version": "7",
        "inputs": {"type": "object", "properties": {"ticket_id": {"type": "string"}}, "required": ["ticket_id"]},
        "lookups": {"ticket": {"tool": "mcp__desk__get_ticket", "arguments": {"ticket_id": "{{ inputs.ticket_id }}"}}},
        "scope": {"desk": {"customer_id": "{{ lookups.ticket.customer_id }}"}},
        "steps": [
            {"id": "read", "worker": "reader", "task": "Read {{ inputs.ticket_id }}."},
            {"id": "agree", "needs": ["read"], "approve": "Pay {{ steps.read.summary }}?"},
            {"id": "pay", "worker": "clerk", "needs": ["agree"], "task": "Pay.", "output": OUTPUT},
        ],
        "output": OUTPUT,
    }
    stage.write_all({"reader": [{"say": "read"}]})
    return stage


def of_case(case: Stage, *more: str, ticket: str = "t_1") -> dict[str, Any]:
    return plan(case.home, "case", "--configs", case.configs, "--input", f"ticket_id={ticket}", *more)


def test_a_plan_has_the_steps_in_order_and_what_is_looked_up_before(case: Stage) -> None:
    found = of_case(case)
    assert (found["playbook"], found["version"], found["lead"]) == ("case", "7", None)
    assert [(step["id"], step["worker"], step["needs"], step["text"]) for step in found["steps"]] == [
        ("read", "reader", [], "Read t_1."),
        ("agree", None, ["read"], "Pay {{ steps.read.summary }}?"),
        ("pay", "clerk", ["agree"], "Pay."),
    ]
    (lookup,) = found["lookups"]
    assert (lookup["tool"], lookup["arguments"]) == ("mcp__desk__get_ticket", {"ticket_id": "t_1"})


def test_a_plan_has_the_mandates_as_far_as_inputs_fill_them(case: Stage) -> None:
    unknown = "{{ lookups.ticket.customer_id }}"
    server = servers_of(of_case(case), "clerk")["desk"]
    assert server["scope"] == {"customer_id": unknown}
    assert server["bounds"] == {"customer_id": {"const": unknown}}
    assert {tool["tool"]: tool["approval"] for tool in server["tools"]} == {
        "get_ticket": "server's rule",
        "close_ticket": "always",
    }
    assert server["denied"] == ["list_tickets"]
    other = servers_of(of_case(case, ticket="t_2"), "clerk")["desk"]
    assert other["denied"] == [], "the rule is for another ticket"


def test_the_bound_of_steps_is_what_their_sessions_may_use_if_that_is_less(case: Stage) -> None:
    bound = of_case(case)["bound"]
    assert bound["sessions"] == {"max_turns": 8, "budget_usd": 0.2, "wall_clock_s": 120}
    assert bound["run"] == {"max_turns": 25, "budget_usd": 1, "wall_clock_s": 300}
    assert bound["most"] == bound["sessions"]
    case.playbook["limits"] = {"budget_usd": 0.15}
    case.write_all({"reader": [{"say": "read"}]})
    assert of_case(case)["bound"]["most"] == {"max_turns": 8, "budget_usd": 0.15, "wall_clock_s": 120}


def test_a_plan_says_what_is_missing_before_a_run_could_start(case: Stage) -> None:
    case.fleet["servers"] |= {
        "absent": {"command": ["no-such-command"]},
        "closed": {"url": "http://127.0.0.1:9/mcp", "headers": {"X-Key": "${DESK_KEY}"}},
    }
    case.worker("reader", tools=["mcp__absent__look", "mcp__closed__look"])
    case.write_all({"reader": [{"say": "read"}]})
    found = of_case(case)
    missing = " ".join(check["missing"] for check in found["checks"] if check["missing"])
    for name in ("No credential for Claude", "no-such-command", "DESK_KEY"):
        assert name in missing
    assert found["ready"] is False


def test_a_rehearsal_without_a_script_is_not_ready(case: Stage) -> None:
    assert of_case(case, "--rehearse")["ready"] is True
    (case.configs / "rehearsals" / "case.yaml").unlink()
    assert of_case(case, "--rehearse")["ready"] is False


@pytest.mark.parametrize(
    "arguments",
    [["--input", "customer_id=.."], [], ["--input", "customer=x"]],
)
def test_bad_inputs_are_reported_as_the_run_does(tmp_path: Path, arguments: list[str]) -> None:
    words = ["run", "billing-dispute", "Twice!", "--configs", CONFIGS, "--rehearse", "--json", *arguments]
    planned, run = (json.loads(flotilla(tmp_path, *words, *more).stdout) for more in (["--plan"], []))
    assert planned == run
    assert planned["error"]["code"] == "invalid_input"


def test_a_scope_that_inputs_cannot_fill_is_reported_before_anything_starts(case: Stage) -> None:
    case.playbook["scope"]["desk"]["customer_id"] = "{{ inputs.ticket_id | trim }}"
    case.write_all({"reader": [{"say": "read"}]})
    words = ["run", "case", "x", "--configs", case.configs, "--input", "ticket_id= ", "--plan", "--json"]
    done = flotilla(case.home, *words)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "bad_scope")


def test_a_plan_calls_nothing_loads_no_engine_and_leaves_nothing(tmp_path: Path) -> None:
    words = ["run", "billing-dispute", "Twice!", "--plan", "--configs", str(CONFIGS), "--input", "customer_id=c"]
    code = f"import sys; from flotilla_orchestrator.__main__ import main; main({words!r})"
    code += "; print([name for name in ('dbos', 'claude_agent_sdk', 'mcp') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert "Nothing was called, and nothing recorded." in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_told_to_people(tmp_path: Path) -> None:
    said = flotilla(tmp_path, "run", "billing-dispute", "Twice!", "--plan", *CASE).stdout
    for part in (
        "billing-dispute  version 2",
        "model: claude",
        "billing  only records of customer_id=cust_12345",
        "wherever a tool takes it: customer_id=cust_12345",
        "researcher, compliance-reviewer, refund-clerk, drafter",
        "mcp__memory__record_episode",
        "60 turns, $1.00, 300 s at work",
        "✗ a credential for Claude",
        "billing is started: flotilla-billing",
    ):
        assert part in said


def test_a_plan_and_the_mandate_that_servers_see_say_the_same(tmp_path: Path) -> None:
    planned = servers_of(plan(tmp_path, "billing-dispute", *CASE), "researcher")
    words = ["mandate", "researcher", "--playbook", "billing-dispute", *CASE, "--json"]
    for seen in json.loads(flotilla(tmp_path, *words).stdout)["servers"]:
        server = planned[seen["server"]]
        for name in ("mandates", "scope", "denied"):
            assert server[name] == seen[name]
        assert {tool["tool"] for tool in server["tools"]} == {tool["tool"] for tool in seen["tools"]}
        bounds = {name: bound for tool in seen["tools"] for name, bound in tool["bounds"].items()}
        assert server["bounds"] == bounds


def test_a_plan_goes_with_neither_a_queue_nor_a_recording(case: Stage) -> None:
    words = ["run", "case", "x", "--configs", case.configs, "--input", "ticket_id=t_1", "--rehearse", "--plan"]
    assert flotilla(case.home, *words, "--queue").returncode == 2
    done = flotilla(case.home, *words, "--record", "script.yaml", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "invalid_arguments"

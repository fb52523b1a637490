"""The `flotilla` command: what people and scripts get from it, and what it leaves behind."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
from support.commands import Watched, descendants, flotilla, started
from support.stage import DESK, Stage, answer, call, delegate

pytestmark = pytest.mark.cli_double

TICKET = call("get_ticket", ticket_id="t_1")


@pytest.fixture
def case(stage: Stage) -> Stage:
    """A case whose lead has a worker look at ticket t_1."""
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "get_ticket", "wait_forever")
    stage.write_all(
        {
            "lead": [delegate(("helper", "{{ task }}")), answer("{{ results.delegate.reports[0].report }}")],
            "helper": [TICKET, {"say": "It is {{ last.customer_id }}'s."}],
        }
    )
    return stage


def run(case: Stage, *more: str | Path) -> "subprocess.CompletedProcess[str]":
    return flotilla(case.home, "run", "case", "Whose ticket?", "--configs", case.configs, *more)


@pytest.mark.real_cli
def test_a_rehearsal_shows_the_agents_their_calls_the_result_and_that_it_is_one(case: Stage) -> None:
    done = run(case, "--rehearse")
    assert done.returncode == 0, done.stderr
    assert "model: rehearsal" in done.stdout.splitlines()[0]
    for said in ("lead", "helper", "get_ticket  ticket_id=t_1", "It is cust_1's.", "2 agents", "flotilla trace run_"):
        assert said in done.stdout
    assert done.stderr == ""


def test_json_is_one_object_on_standard_output_and_nothing_else(case: Stage) -> None:
    done = run(case, "--rehearse", "--json")
    record = json.loads(done.stdout)
    assert done.stderr == ""
    assert (record["status"], record["model"]) == ("ok", "rehearsal")
    assert record["output"] == {"answer": "It is cust_1's."}
    assert record["totals"]["agents"] == 2
    shown = flotilla(case.home, "show", record["run_id"], "--json")
    assert json.loads(shown.stdout)["output"] == record["output"]
    traced = json.loads(flotilla(case.home, "trace", "--json").stdout)
    assert [span["name"] for span in traced["spans"]] == ["case", "lead", "delegate", "helper", "get_ticket"]


def test_show_and_trace_tell_a_finished_run_to_people(case: Stage) -> None:
    run(case, "--rehearse")
    assert "Whose ticket?" in flotilla(case.home, "show").stdout
    assert "get_ticket" in flotilla(case.home, "trace", "last").stdout
    unknown = flotilla(case.home, "trace", "run_0", "--json")
    assert unknown.returncode == 2
    assert json.loads(unknown.stdout)["error"]["code"] == "unknown_run"


def test_without_a_credential_it_says_what_to_set_and_starts_nothing(case: Stage) -> None:
    done = run(case)
    assert done.returncode == 2
    assert done.stdout == ""
    for name in ("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "--rehearse"):
        assert name in done.stderr
    assert not (case.home / "journal.db").exists()


def test_a_failed_run_exits_with_1_and_its_error(case: Stage) -> None:
    case.write_all({"lead": [{"misbehave": 500}]})
    done = run(case, "--rehearse", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "model_error"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "cases", "x"], "did you mean `case`?"),
        (["run", "case"], "--task-file"),
        (["run", "case", "  "], "The task is empty"),
        (["run", "case", "x", "--input", "customer_id"], "NAME=VALUE"),
        (["run", "case", "--task-file", "nowhere.txt"], "nowhere.txt"),
        (["demo", "case"], "has no example"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what_to_correct(case: Stage, arguments: list[str], said: str) -> None:
    rehearse = ["--rehearse"] if arguments[0] == "run" else []
    done = flotilla(case.home, *arguments, *rehearse, "--configs", case.configs)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_input_that_the_playbook_does_not_take_is_named(case: Stage) -> None:
    case.playbook["inputs"] = {"type": "object", "properties": {"limit": {"type": "integer", "maximum": 5}}}
    case.write_all({"lead": [answer("done")]})
    assert "input limit: 7 is greater" in run(case, "--rehearse", "--input", "limit=7").stderr
    assert "'many' is no integer" in run(case, "--rehearse", "--input", "limit=many").stderr
    assert run(case, "--rehearse", "--input", "limit=5").returncode == 0


def test_a_task_can_come_from_a_file(case: Stage) -> None:
    complaint = case.folder / "complaint.txt"
    complaint.write_text("Ticket, bitte: größer als «alles»")
    done = flotilla(
        case.home, "run", "case", "--task-file", complaint, "--configs", case.configs, "--rehearse", "--json"
    )
    assert json.loads(done.stdout)["task"] == "Ticket, bitte: größer als «alles»"


def test_every_config_error_is_told_at_once_with_file_and_line(case: Stage) -> None:
    case.write("workers/other.md", "---\nname: other\ndescription: x\nmodle: haiku\n---\nDo it.\n")
    case.write("playbooks/more.yaml", "name: more\ndescription: x\nlead: leed\noutput: {type: object}\n")
    done = run(case, "--rehearse")
    assert done.returncode == 2
    assert "other.md:4: unknown key `modle`; did you mean `model`?" in done.stderr
    assert "more.yaml:3: there is no worker `leed`; did you mean `lead`?" in done.stderr
    problems = json.loads(run(case, "--rehearse", "--json").stdout)["error"]["problems"]
    assert {(Path(problem["file"]).name, problem["line"]) for problem in problems} == {
        ("other.md", 4),
        ("more.yaml", 3),
    }


def test_check_lists_servers_and_tools_and_says_what_grants_nothing(case: Stage) -> None:
    case.write("workers/idle.md", "---\nname: idle\ndescription: x\n---\nDo it.\n")
    done = flotilla(case.home, "check", "--configs", case.configs)
    assert done.returncode == 0, done.stderr
    assert "desk: answers, checks mandates, has all 2 tools that the files name" in done.stdout
    assert "idle.md:2: note: idle names no `tools` and is granted none" in done.stdout
    assert "credential for Claude: not set" in done.stdout


def test_check_says_that_a_server_lets_everyone_in(case: Stage, open_desk: str) -> None:
    case.fleet["servers"]["desk"] = {"url": open_desk}
    case.write_all({})
    done = flotilla(case.home, "check", "--configs", case.configs)
    assert done.returncode == 0, done.stderr
    assert "desk: answers, 7 tools; it checks no mandates" in done.stdout


def _waiting(case: Stage) -> Stage:
    """The case with a server of its own and a worker that never comes back from its second call."""
    case.fleet["servers"]["desk"] = {"command": DESK}
    case.write_all({"lead": [delegate(("helper", "one"))], "helper": [TICKET, call("wait_forever")]})
    return case


def _at_work(process: "subprocess.Popen[str]") -> dict[int, str]:
    """Everything that the command has started, once its worker has made the first call."""
    assert process.stdout
    assert any("✓ get_ticket" in line for line in process.stdout)
    found = descendants(process.pid)
    kinds = " ".join(found.values())
    assert kinds.count("stream-json") >= 1, "the worker's session; the lead's has ended until the report is there"
    assert "desk_server.py" in kinds
    return found


def test_a_killed_orchestrator_leaves_no_process(case: Stage) -> None:
    _waiting(case)
    with started(case.home, "run", "case", "x", "--configs", case.configs, "--rehearse") as process:
        watched = Watched(_at_work(process))
        process.kill()
        assert watched.alive_after(15) == []


def test_an_interrupted_run_ends_its_processes_and_says_so_in_the_journal(case: Stage) -> None:
    _waiting(case)
    with started(case.home, "run", "case", "x", "--configs", case.configs, "--rehearse") as process:
        watched = Watched(_at_work(process))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130  # generous: the processes it ends take their time on a busy machine
        assert watched.alive_after(1) == []
    record = json.loads(flotilla(case.home, "trace", "--json").stdout)
    assert record["status"] == "interrupted"
    assert all(span["ended_at"] for span in record["spans"])

"""Finished cases are remembered by the run itself, and found by the next one; only the model is a script."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import programs
from support.commands import flotilla
from support.processes import clean_environment
from support.stage import OUTPUT, answer

pytestmark = pytest.mark.cli_double

CONFIGS = Path(__file__).parents[2] / "configs"


def remembered(home: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "memory.db")) as memory:
        return memory.execute(query).fetchall()


def test_the_second_case_of_a_customer_cites_what_the_first_has_left(tmp_path: Path) -> None:
    done = flotilla(tmp_path, "demo", "--later", "--configs", CONFIGS, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = json.loads(done.stdout)["runs"]
    assert (first["output"]["final_action"], second["output"]["final_action"]) == ("refund_issued", "no_refund")
    assert [call["status"] for run in (first, second) for call in run["after"]] == ["ok", "ok"]
    data = Path(first["folder"]) / "data"
    episodes = dict(remembered(data, "SELECT external_id, episode_id FROM episodes WHERE channel = 'case'"))
    assert set(episodes) == {first["run_id"], second["run_id"]}
    found = second["output"]["research_summary"]
    (line,) = [line for line in found.splitlines() if f"[{episodes[first['run_id']]}#2]" in line]
    assert line.startswith("Earlier case of ")
    assert first["output"]["refund_id"] in line
    assert "What we wrote in your case of " in second["output"]["customer_email"]


def test_an_account_is_reported_with_citations_of_that_account_only(tmp_path: Path) -> None:
    done = flotilla(tmp_path, "demo", "account-memory", "--configs", CONFIGS, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(done.stdout)
    report = run["output"]
    entries = [*report["timeline"], *report["themes"], *report["open_commitments"], *report["engagement"]["evidence"]]
    assert [len(report[part]) for part in ("timeline", "themes", "open_commitments")] == [5, 4, 1]
    assert report["engagement"]["trend"] == "rising"
    assert report["not_found"] == []
    cited = {citation for entry in entries for citation in entry["citations"]}
    of_account = "account_key = (SELECT account_key FROM accounts WHERE account_id = 'cust_12345')"
    known = (
        f"SELECT episode_id FROM episodes WHERE {of_account} UNION SELECT passage_id FROM passages WHERE {of_account}"
    )
    data = Path(run["folder"]) / "data"
    assert cited <= {identifier for (identifier,) in remembered(data, known)}
    assert len(cited) > 20


class Recording:
    """A case of one worker that answers at once; then the run makes these calls of a memory server."""

    def __init__(self, folder: Path, after: dict[str, Any], rules: list[Any] | None = None) -> None:
        self.home, self.configs = folder / "home", folder / "configs"
        self.home.mkdir(parents=True)
        fleet = {"servers": {"memory": {"command": programs.command("flotilla-memory")}}, "rules": rules or []}
        playbook: dict[str, Any] = {"name": "case", "description": "A case.", "lead": "lead", "output": OUTPUT}
        playbook |= {"after": after, "scope": {"memory": {"account_id": "acct_1"}}}
        agents = {"lead": [{"turns": [answer("done")]}]}
        for name, said in {
            "fleet.yaml": yaml.safe_dump(fleet),
            "playbooks/case.yaml": yaml.safe_dump(playbook),
            "rehearsals/case.yaml": yaml.safe_dump({"name": "case", "agents": agents}),
            "workers/lead.md": "---\nname: lead\ndescription: Leads.\ntools: []\n---\nLead.\n",
        }.items():
            file = self.configs / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(said)

    def start(self, *command: str) -> programs.Program:
        environ = clean_environment(self.home)
        return programs.start(*command, environ=environ, folder=self.home, new_session=True)

    def begin(self) -> list[str]:
        return ["run", "case", "Look at it.", "--rehearse", "--configs", str(self.configs), "--json"]


def record(**arguments: Any) -> dict[str, Any]:
    said = {
        "account_id": "acct_1",
        "channel": "case",
        "external_id": "{{ run.id }}",
        "occurred_at": "{{ run.ended_at }}",
        "turns": [{"text": "{{ task }}"}, {"text": "It ended with: {{ output.answer }}."}],
    }
    return {"tool": "mcp__memory__record_episode", "arguments": {**said, **arguments}}


def test_a_run_that_is_killed_while_its_case_is_recorded_records_it_once(tmp_path: Path) -> None:
    case = Recording(tmp_path, {"episode": record()})
    killed = case.start("support.killed_run", "after_called", "1", *case.begin())
    out, err = killed.communicate()
    assert killed.returncode == -9, out + err
    resumed = case.start("flotilla", "resume", "last", "--json")
    out, err = resumed.communicate()
    assert resumed.returncode == 0, out + err
    run = json.loads(out)
    assert run["status"] == "ok"
    assert run["after"] == [{"name": "episode", "tool": "mcp__memory__record_episode", "status": "ok", "error": None}]
    assert remembered(case.home, "SELECT external_id FROM episodes") == [(run["run_id"],)]
    texts = remembered(case.home, "SELECT text FROM passages ORDER BY position")
    assert texts == [("Look at it.",), ("It ended with: done.",)]
    assert remembered(case.home, "SELECT count(*) FROM effects") == [(1,)]


def test_a_call_after_a_run_that_fails_is_reported_and_fails_neither_the_run_nor_the_next_call(tmp_path: Path) -> None:
    after = {
        "refused": record(occurred_at="yesterday"),
        "elsewhere": record(account_id="acct_2"),  # the playbook's scope has another
        "denied": {"tool": "mcp__memory__remember", "arguments": {"account_id": "acct_1", "text": "It is done."}},
        "empty": record(title="{{ inputs.none }}"),
        "episode": record(),
    }
    case = Recording(tmp_path, after, [{"tools": ["mcp__memory__remember"], "effect": "approve"}])
    ended = case.start("flotilla", *case.begin())
    out, err = ended.communicate()
    assert ended.returncode == 0, out + err
    run = json.loads(out)
    assert (run["status"], run["output"]) == ("ok", {"answer": "done"})
    codes = {call["name"]: call["error"] and call["error"]["code"] for call in run["after"]}
    assert codes == {
        "refused": "invalid_arguments",
        "elsewhere": "out_of_bounds",
        "denied": "denied_by_rule",
        "empty": "bad_template",
        "episode": None,
    }
    assert remembered(case.home, "SELECT count(*) FROM episodes") == [(1,)]
    assert remembered(case.home, "SELECT count(*) FROM approvals") == [(0,)]
    shown = case.start("flotilla", "show", "last")
    assert "denied (mcp__memory__remember): denied_by_rule: A rule of fleet.yaml" in shown.communicate()[0]

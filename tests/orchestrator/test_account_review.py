"""The shipped review of an account, end to end: only the model is a script."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import programs
from support.commands import flotilla
from support.processes import clean_environment
from support.terminal import at_terminal

pytestmark = pytest.mark.cli_double

CONFIGS = Path(__file__).parents[2] / "configs"
ACCOUNT, DEAL = "cust_20417", "deal_okafor_renewal"
SAMPLE = {f"FLOTILLA_{name}_DEMO_DATA": "true" for name in ("BILLING", "CRM", "MEMORY")}


def rows(home: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "crm.db")) as crm:
        return crm.execute(query, values).fetchall()


class Review:
    """`flotilla ask` for a review, with people who decide by commands of their own."""

    def __init__(self, home: Path, *decisions: str) -> None:
        """`decisions`: of the changes, in the order in which they are asked for."""
        self._environ, self._home, self._decisions = clean_environment(home, SAMPLE), home, list(decisions)
        self.shown: list[str] = []
        """What whoever decided was shown of each change."""

    def record(self) -> dict[str, Any]:
        """The run's record, once all is decided."""
        command = ["ask", f"A review of {ACCOUNT}, please", "--rehearse", "--configs", str(CONFIGS), "--json"]
        process = programs.start("flotilla", *command, environ=self._environ, folder=self._home)
        assert process.stderr
        for line in process.stderr:
            if found := re.search(r"flotilla decide (run_\w+) agree approve", line):
                self._run("flotilla", "decide", found[1], "agree", "approve", "--confirm", "agree")
            elif found := re.search(r"flotilla-crm .*approvals approve (apr_\w+)", line):
                self._decide(found[1], self._decisions.pop(0))
        out, err = process.communicate()
        assert process.returncode == 0, out + err
        assert not self._decisions
        (record,) = json.loads(out)["runs"]
        return record

    def _decide(self, approval_id: str, decision: str) -> None:
        ((tool,),) = rows(self._home, "SELECT tool FROM approvals WHERE approval_id = ?", approval_id)
        command = [*programs.command("flotilla-crm"), "--home", str(self._home), "approvals", decision, approval_id]
        reason = ["--reason", "not now"] if decision == "reject" else []
        code, shown = at_terminal([*command, *reason], self._environ, tool if decision == "approve" else None)
        assert code == 0, shown
        self.shown.append(" ".join(shown.split()))

    def _run(self, *command: str) -> None:
        done = programs.run(*command, environ=self._environ, folder=self._home)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_review_cites_what_three_servers_say_and_changes_only_what_a_person_approved(tmp_path: Path) -> None:
    review = Review(tmp_path, "approve", "reject")
    run = review.record()
    output = run["output"]
    assert (run["playbook"], run["inputs"]) == ("account-review", {"account_id": ACCOUNT})

    # What came of it.
    assert output["health"]["coverage"] == 1, "billing's part of the score was asked for and passed on"
    assert {part["part"] for part in output["health"]["parts"]} == {"engagement", "financial", "satisfaction"}
    assert {"close_date_slipped", "quiet_champion"} <= {risk["signal"] for risk in output["risks"]}
    assert 3 <= len(output["recommendations"]) <= 5
    cited = {citation for one in output["recommendations"] for citation in one["citations"]}
    assert {DEAL, "con_grace_oduya", "ch_okafor_dup"} < cited
    assert any(citation.startswith("mem_") for citation in cited)
    assert any("Dear Grace Oduya," in (one["draft_message"] or "") for one in output["recommendations"])
    assert output["not_found"] == []

    # Each change was shown with what is there now, and decided for itself.
    (made,), (rejected,) = output["changes_made"], output["changes_rejected"]
    deal, _ = review.shown
    for said in ("Ask Daniel Okafor what is missing to decide", "Terms for the second depot in writing", DEAL):
        assert said in deal
    assert (made["record_id"], made["version"]) == (DEAL, 5)
    assert "not now" in rejected["why"]
    history = "SELECT record_id, field, actor, reason FROM field_history WHERE run = ?"
    assert rows(tmp_path, history, run["run_id"]) == [(DEAL, "next_step", "crm-clerk", "account review")]
    asked = rows(tmp_path, "SELECT requester, tool, state, decided_by IS NOT NULL FROM approvals ORDER BY number")
    assert asked == [("crm-clerk", "update_deal", "consumed", 1), ("crm-clerk", "log_activity", "rejected", 1)]

    # Who did it, in which order, on whose records.
    spans = json.loads(flotilla(tmp_path, "trace", run["run_id"], "--json").stdout)["spans"]
    steps = {span["attributes"]["step"]: span for span in spans if "step" in span["attributes"]}
    assert sorted(list(steps)[:2]) == ["data", "memory"]
    assert list(steps)[2:] == ["recommend", "agree", "changes"]
    both = (steps["data"], steps["memory"])
    assert max(step["started_at"] for step in both) < min(step["ended_at"] for step in both)
    workers = {span["span_id"]: span["name"] for span in spans if span["kind"] == "session"}
    calls = [(workers[span["parent_id"]], span["attributes"]) for span in spans if span["kind"] == "tool"]
    assert {worker for worker, call in calls if "approval" in call} == {"crm-clerk"}
    for worker, call in calls:
        mine = {"account_id", "customer_id"} & set(call["arguments"])
        assert {call["arguments"][name] for name in mine} <= {ACCOUNT}
        assert mine or worker != "memory-analyst"

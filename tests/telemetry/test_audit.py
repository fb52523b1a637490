"""The audit file of each session: what it has, and what is noticed of a change."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.service import Served

pytestmark = pytest.mark.cli_double


def events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_session_leaves_digests_calls_and_decisions_and_a_change_of_them_is_noticed(case: Served) -> None:
    case.add_approver()
    run_id = case.order("pay", "--input", "amount=500")
    case.until_idle()  # the session ends in front of the refund
    case.approve(run_id)
    case.until_idle()

    checked = case.answer("audit", run_id)
    (found,) = checked["files"]
    file = Path(found["file"])
    assert (found["agent"], found["problem"]) == ("single", None)
    assert file.is_relative_to(case.home / "runs" / run_id / "audit") and file.stat().st_mode & 0o777 == 0o600
    written = events(file)
    assert [line["event"] for line in written] == [
        *("session_began", "call", "call_ended", "call", "approval_requested", "session_interrupted"),
        *("approval_decided", "session_resumed", "call_ended", "session_ended"),
    ]
    began, look, looked, refund, asked, _, decided, _, refunded, ended = written
    assert len(began["prompt_sha256"]) == len(began["system_prompt_sha256"]) == len(look["arguments_sha256"]) == 64
    assert (look["tool"], looked["status"]) == ("mcp__billing__get_transaction", "ok")
    assert (decided["state"], decided["by"]) == ("approved", "ada")
    assert asked["call_id"] == refund["call_id"] == refunded["call_id"]
    assert (ended["status"], refunded["status"]) == ("ok", "ok")
    assert "Do it." not in file.read_text() and "ch_maya" not in file.read_text()

    text = file.read_text()
    lines = text.splitlines(keepends=True)
    for changed, problem in (
        (text.replace('"approved"', '"rejected"'), "does not follow"),
        ("".join(lines[:2] + lines[3:]), "does not follow"),
        ("".join(lines[:-1]), "its end is missing"),
        (text + "nonsense\n", "is no JSON"),
    ):
        file.write_text(changed)
        (again,) = case.answer("audit", run_id)["files"]
        assert problem in again["problem"]
    file.write_text(text)
    assert case.answer("audit", run_id) == checked

    assert case.answer("runs", "--prune", "--older-than", "0h")["run_ids"] == [run_id]
    assert not file.exists(), "it goes with the run"

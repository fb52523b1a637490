"""The shipped playbook by steps, end to end: only the model is a script."""

import json
from pathlib import Path

import pytest
from support.commands import billing, flotilla

pytestmark = pytest.mark.cli_double

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_review_looks_twice_at_once_judges_asks_and_writes(tmp_path: Path) -> None:
    billing(tmp_path, "import", CONFIGS / "demo" / "payments.csv")
    command = ["ask", "A review of cust_12345, please", "--rehearse", "--yes", "--configs", CONFIGS, "--json"]
    done = flotilla(tmp_path, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    output = run["output"]
    assert run["playbook"] == "account-review"
    assert output["standing"] == "needs_attention"
    assert len(output["findings"]) == 1, "what was given back already is not open"
    assert "in_maya_202602" in output["findings"][0]
    assert output["decision"] == "Approved by demo-approver: rehearsal"
    assert "Hello Maya," in output["customer_email"]
    assert "ch_" not in output["customer_email"]
    spans = json.loads(flotilla(tmp_path, "trace", "--json").stdout)["spans"]
    steps = {span["attributes"]["step"]: span for span in spans if "step" in span["attributes"]}
    assert list(steps) == sorted(steps, key=lambda name: steps[name]["started_at"])
    assert {"history", "policy"} == {*list(steps)[:2]}
    assert list(steps)[2:] == ["judge", "sign-off", "letter"]
    assert max(steps[name]["started_at"] for name in ("history", "policy")) < min(
        steps[name]["ended_at"] for name in ("history", "policy")
    )
    assert {span["status"] for span in spans} == {"ok"}

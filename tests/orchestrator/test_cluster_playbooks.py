"""The shipped playbooks for a cluster, end to end over its sandbox: only the model is a script."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.commands import flotilla

CONFIGS = Path(__file__).parents[2] / "configs"


def played(home: Path, playbook: str, *further: str) -> dict[str, Any]:
    done = flotilla(home, "demo", playbook, "--configs", CONFIGS, "--json", *further)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def approvals(run: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    with closing(sqlite3.connect(Path(run["folder"]) / "data" / "k8s.db")) as records:
        return records.execute("SELECT tool, state, decided_by FROM approvals").fetchall()


def test_a_namespace_is_provided_once_a_person_agreed_and_is_verified(tmp_path: Path) -> None:
    run = played(tmp_path, "namespace-request")
    output = run["output"]
    assert (output["outcome"], output["namespace"]) == ("provisioned", "team-a-checkout")
    made = ["Namespace", "ResourceQuota", "LimitRange", "RoleBinding"]
    assert [(one["kind"], one["result"]) for one in output["made"]] == [(kind, "created") for kind in made]
    assert any("limits.cpu: 0/4" in row for row in output["verified"]), "read back, not repeated from the request"
    assert {"Sizes", "Who decides"} <= set(output["rules"])
    assert approvals(run) == [("provision_namespace", "consumed", "demo-approver")]


@pytest.mark.parametrize(
    ("deployment", "cause", "said"),
    [("reports", "quota", "exceeded quota"), ("orders", "none", "of 2 ready")],
)
def test_a_rollout_is_explained_with_the_object_that_says_it(
    tmp_path: Path, deployment: str, cause: str, said: str
) -> None:
    run = played(tmp_path, "rollout-triage", "--input", f"deployment={deployment}")
    output = run["output"]
    assert (output["cause"], output["ready"]) == (cause, cause == "none")
    assert said in output["evidence"][0]["says"]
    assert approvals(run) == []

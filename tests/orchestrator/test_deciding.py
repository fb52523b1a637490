"""People decide about a run: at its terminal, by the server's command, or with a key by `flotilla approvals`."""

import json
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from support import programs
from support.commands import Watched, billing, descendants, flotilla
from support.processes import clean_environment
from support.programs import Program
from support.teller import CHARGE, REFUND, refund, refunds_in
from support.terminal import at_terminal

pytestmark = pytest.mark.cli_double

PAYMENTS = Path(__file__).parents[2] / "configs" / "demo" / "payments.csv"
COMPLAINT = ["run", "case", "I was charged twice.", "--rehearse"]
OUTPUT = {"type": "object", "required": ["final_action"], "properties": {"final_action": {"type": "string"}}}
ACTION = {"final_action": "{{ 'refund_issued' if 'refund' in results else 'escalated' }}"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The data of a company with an approver, ada, and beside it `configs` with a clerk who refunds."""
    home = tmp_path / "home"
    home.mkdir()
    for words in (["import", PAYMENTS], ["approvers", "add", "ada"]):
        billing(home, *words)
    script = {"name": "case", "agents": {"clerk": [{"turns": [refund(), {"result": ACTION}]}]}}
    clerk = yaml.safe_dump({"name": "clerk", "description": "Refunds.", "tools": [REFUND]})
    for name, text in {
        "fleet.yaml": yaml.safe_dump({"servers": {"billing": {"command": ["flotilla-billing"]}}}),
        "playbooks/case.yaml": yaml.safe_dump(
            {"name": "case", "description": "A case.", "lead": "clerk", "output": OUTPUT}
        ),
        "rehearsals/case.yaml": yaml.safe_dump(script),
        "workers/clerk.md": f"---\n{clerk}---\nRefund it.\n",
    }.items():
        file = configs(home) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return home


def configs(home: Path) -> Path:
    return home.parent / "configs"


@pytest.fixture
def key(home: Path, tmp_path: Path) -> Path:
    """Ada's private key, which she keeps elsewhere."""
    return (home / "approvers" / "billing-ada.jwk").rename(tmp_path / "ada.jwk")


@contextmanager
def waiting(home: Path, *more: str) -> "Generator[tuple[Program, str, str]]":
    """A run without a terminal that waits for an approval: its process, what it said so far, and the approval's id."""
    words = [*COMPLAINT, *more, "--configs", configs(home)]
    process = programs.start("flotilla", *words, environ=clean_environment(home), folder=home, stderr=subprocess.STDOUT)
    try:
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if "FLOTILLA_APPROVER_KEY=FILE" in line:
                break
        found = re.search(r"apr_[0-9a-f]{20}", said)
        assert found, said
        yield process, said, found[0]
    finally:
        process.kill()
        process.wait()
        process.close()


def approvals(home: Path, key: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return flotilla(home, "approvals", *words, "--server", "billing", "--key", key, "--configs", configs(home))


def paid(home: Path) -> list[tuple[str, int]]:
    return [row for row in refunds_in(home / "billing.db") if row[0] == CHARGE]


def test_without_a_terminal_the_run_says_how_and_waits_until_a_key_decides(home: Path, key: Path) -> None:
    with waiting(home) as (process, said, approval_id):
        for words in ("amount: 245.00 USD", f"flotilla-billing --home {home} approvals approve {approval_id}"):
            assert words in said
        listed = approvals(home, key, "list")
        assert (listed.returncode, approval_id in listed.stdout, "245.00 USD" in listed.stdout) == (0, True, True)
        wrong = approvals(home, key, "approve", approval_id, "--confirm", "24.50 USD")
        assert (wrong.returncode, "not confirmed" in wrong.stderr, paid(home)) == (2, True, [])
        right = approvals(home, key, "approve", approval_id, "--confirm", "245.00 USD", "--json")
        decided = json.loads(right.stdout)
        assert (decided["state"], decided["decided_by"]) == ("approved", "ada")
        rest = process.communicate(timeout=300)[0]
    assert "245.00 USD: approved by ada" in rest
    assert paid(home) == [(CHARGE, 24500)]


def test_a_rejection_is_heard_and_a_person_takes_over(home: Path, key: Path) -> None:
    with waiting(home, "--json") as (process, _, approval_id):
        approvals(home, key, "reject", approval_id, "--reason", "not this one")
        rest = process.communicate(timeout=300)[0]
    record = json.loads(rest[rest.index("{") :])
    assert record["output"]["final_action"] == "escalated"
    assert paid(home) == []


def test_who_has_no_key_of_that_server_decides_nothing(home: Path, tmp_path: Path) -> None:
    nobody = flotilla(home, "approvals", "list", "--server", "billing", "--configs", configs(home))
    assert (nobody.returncode, "FLOTILLA_APPROVER_KEY" in nobody.stderr) == (2, True)
    other = tmp_path / "other"
    other.mkdir()
    billing(other, "approvers", "add", "ada")
    stranger = approvals(home, other / "approvers" / "billing-ada.jwk", "list")
    assert stranger.returncode == 2
    assert "refused (" in stranger.stderr
    assert "Traceback" not in stranger.stderr


def test_at_a_terminal_the_person_is_shown_the_facts_and_types_the_amount_back(home: Path) -> None:
    command = [*programs.command("flotilla"), *COMPLAINT, "--configs", configs(home)]
    environment = {**clean_environment(home), "TERM": "xterm", "COLUMNS": "200"}
    code, shown = at_terminal(command, environment, "245.00 USD", also={"[a/r/l] ": "a"})
    assert code == 0, shown
    for words in ("customer_name: Maya Lindqvist", "amount: 245.00 USD", "is approved by local:", "refund_issued"):
        assert words in shown
    assert paid(home) == [(CHARGE, 24500)]


def test_an_interrupted_run_leaves_nothing_behind_but_the_request(home: Path, key: Path) -> None:
    with waiting(home) as (process, _, approval_id):
        watched = Watched(descendants(process.pid))
        process.terminate()
        process.communicate(timeout=300)
        assert watched.alive_after(15) == []
    assert approval_id in approvals(home, key, "list").stdout
    assert paid(home) == []


def test_yes_goes_only_with_a_rehearsal(home: Path) -> None:
    words = [word for word in COMPLAINT if word != "--rehearse"]
    refused = flotilla(home, *words, "--yes", "--configs", configs(home), environment={"ANTHROPIC_API_KEY": "sk-none"})
    assert refused.returncode == 2
    assert "only with --rehearse" in refused.stderr
    assert not (home / "journal.db").exists()

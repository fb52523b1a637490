"""People decide about a run: at its terminal, by the server's command, or with a key by `flotilla approvals`."""

import json
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.commands import Watched, billing, descendants, flotilla, started
from support.processes import BIN, clean_environment
from support.teller import CHARGE, refunds_in
from support.terminal import at_terminal

CONFIGS = Path(__file__).parents[2] / "configs"
COMPLAINT = ["run", "billing-dispute", "I was charged twice.", "--input", "customer_id=cust_12345", "--rehearse"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The data of a company with an approver, ada."""
    home = tmp_path / "home"
    home.mkdir()
    for words in (["import", CONFIGS / "demo" / "payments.csv"], ["approvers", "add", "ada"]):
        billing(home, *words)
    return home


@pytest.fixture
def key(home: Path, tmp_path: Path) -> Path:
    """Ada's private key, which she keeps elsewhere."""
    return (home / "approvers" / "billing-ada.jwk").rename(tmp_path / "ada.jwk")


@contextmanager
def waiting(home: Path, *more: str) -> "Generator[tuple[subprocess.Popen[str], str, str]]":
    """A run without a terminal that waits for an approval: its process, what it said so far, and the approval's id."""
    with started(home, *COMPLAINT, *more, "--configs", CONFIGS) as process:
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if "FLOTILLA_APPROVER_KEY=FILE" in line:
                break
        found = re.search(r"apr_[0-9a-f]{20}", said)
        assert found, said
        yield process, said, found[0]


def approvals(home: Path, key: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return flotilla(home, "approvals", *words, "--server", "billing", "--key", key, "--configs", CONFIGS)


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
    nobody = flotilla(home, "approvals", "list", "--server", "billing", "--configs", CONFIGS)
    assert (nobody.returncode, "FLOTILLA_APPROVER_KEY" in nobody.stderr) == (2, True)
    other = tmp_path / "other"
    other.mkdir()
    billing(other, "approvers", "add", "ada")
    stranger = approvals(home, other / "approvers" / "billing-ada.jwk", "list")
    assert stranger.returncode == 2
    assert "refused (" in stranger.stderr
    assert "Traceback" not in stranger.stderr


def test_at_a_terminal_the_person_is_shown_the_facts_and_types_the_amount_back(home: Path) -> None:
    command = [BIN / "flotilla", *COMPLAINT, "--configs", CONFIGS]
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
    refused = flotilla(home, *words, "--yes", "--configs", CONFIGS, environment={"ANTHROPIC_API_KEY": "sk-none"})
    assert refused.returncode == 2
    assert "only with --rehearse" in refused.stderr
    assert not (home / "journal.db").exists()

"""`kill -9` of the whole process group at named places of a run, with two parallel workers and an approval: another
process takes it up, and it ends as if nothing had happened, on both databases."""

from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import psycopg
import pytest
from support.commands import Watched
from support.killed_run import SITES, WAITING_SITES
from support.postgres import fresh_database
from support.proofs import FULL, draw
from support.runs import Killed
from support.teller import CHARGE, refunds_in

ROUNDS = 56 if FULL else 1  # on each database


@pytest.mark.prove
@pytest.mark.cli_double
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_killed_run_completes_with_each_effect_once(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    random = draw(f"run crashes {database}")
    sites = [
        (wait_s, site, nth)
        for wait_s, counts in ((0, SITES), (60, WAITING_SITES))
        for site, most in counts.items()
        for nth in range(1, most + 1)
    ]
    random.shuffle(sites)
    for number in range(ROUNDS):
        wait_s, site, nth = sites[number % len(sites)]
        with fresh(request, number) if database == "postgresql" else nullcontext("") as url:
            killed = crash(tmp_path / str(number), url, site, nth, wait_s)
            finished(killed, url, f"{site} {nth}, waiting {wait_s} s")


def fresh(request: pytest.FixtureRequest, number: int) -> AbstractContextManager[str]:
    """The address of an empty PostgreSQL database."""
    return fresh_database(str(request.getfixturevalue("postgres_cluster")), f"run_{number}")


def crash(folder: Path, url: str, site: str, nth: int, wait_s: float) -> Killed:
    """A run that was killed there; its replica stays dead."""
    environment = {"DATABASE_URL": url, "FLOTILLA_EXECUTOR_ID": "replica-1"} if url else None
    case = Killed(folder, environment, session_wait_s=wait_s)
    process = case.start(*case.begin("--yes"), site=site, nth=nth)
    _, err = process.communicate()
    assert process.returncode == -9, f"{site} {nth}: not killed\n{err}"
    assert Watched(case.at_work()).alive_after(15) == [], f"{site} {nth}"
    case.forget_claude()
    return case


def finished(case: Killed, url: str, place: str) -> None:
    """Another replica takes the run up; the result, the books and the ledger are those of a run without a crash."""
    if url:
        case.environment["FLOTILLA_EXECUTOR_ID"] = "replica-2"
    ended = case.finish("resume", "--json")
    assert (ended["status"], ended["output"]) == ("ok", {"answer": "ok ok: succeeded"}), place
    assert refunds(case, url) == [(CHARGE, 24500)], place
    totals = ended["totals"]
    assert totals["turns"] == 8, place  # not one of them twice, not one lost
    used = ended["ledger"]["used"]
    kinds = ("turns", "tool_calls", "input_tokens", "output_tokens", "cost_usd")
    assert [used[kind] for kind in kinds] == [pytest.approx(totals[kind]) for kind in kinds], place
    # One of the clerk's; and of the reader's three also those that its transcript had not got yet: calls that only read
    # do not wait for it.
    assert used["lost_turns"] <= 4, place
    assert Watched(case.at_work()).alive_after(15) == [], place
    spans = case.trace()
    assert all(span["ended_at"] for span in spans), place
    agents = [span for span in spans if span["kind"] == "session"]
    assert sorted(span["name"] for span in agents) == ["clerk", "lead", "reader"], place
    assert {span["status"] for span in agents} == {"ok"}, place


def refunds(case: Killed, url: str) -> list[tuple[str, int]]:
    if not url:
        return refunds_in(case.home / "billing.db")
    with closing(psycopg.connect(url)) as books:
        rows = books.execute("SELECT transaction_id, amount_minor FROM refunds").fetchall()
    return [(str(charge), int(amount)) for charge, amount in rows if charge != "ch_maya_domain"]

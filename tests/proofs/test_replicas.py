"""Two workers over one PostgreSQL, one of which is killed in the middle of its runs: the other finishes them all."""

import time
from pathlib import Path

import pytest
from support.postgres import fresh_database
from support.proofs import FULL, draw
from support.queued import Queued, sampled, sessions
from support.teller import CHARGE, refunds_at

ROUNDS = 10
WAIT_S = 240


@pytest.mark.prove
@pytest.mark.skipif(not FULL, reason="tests/service/test_replicas.py has one such kill; `make prove` has ten")
@pytest.mark.cli_double
def test_the_runs_of_a_dead_worker_are_finished_by_another_one(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    random = draw("replicas")
    for number in range(ROUNDS):
        cluster = str(request.getfixturevalue("postgres_cluster"))
        with fresh_database(cluster, f"replicas_{number}") as url:
            one_dies(Queued(tmp_path / str(number), {"DATABASE_URL": url}), random.uniform(0, 4), url)


def one_dies(case: Queued, after_s: float, url: str) -> None:
    """So long after its first session has begun; and is started again when all is done."""
    runs = [case.order("case", "--yes"), *[case.order("look", "--input", "amount=1") for _ in range(2)]]
    dying = case.worker(name="replica-1")
    until = time.monotonic() + WAIT_S
    while not sessions(sampled(dying.pid)):
        assert time.monotonic() < until, "it had no session"
    other = case.worker("--until-idle", name="replica-2")  # not before: it might take all of them
    time.sleep(after_s)  # any moment will do
    case.kill(dying)
    out, err = other.communicate(timeout=WAIT_S)
    assert "idle; 0 runs wait" in out, err
    wanted = dict.fromkeys(runs, "ok")
    assert case.states() == wanted
    assert case.until_idle(name="replica-1")["waiting"] == []
    assert case.states() == wanted
    assert refunds_at(url) == [(CHARGE, 24500)]

"""A hundred queued runs with a bound of four sessions, and of one: never more live at once, the memory of all processes
stays bounded, and half of them wait for a person without a single session; once approved, each effect happens once.
"""

import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from support.proofs import FULL
from support.queued import Queued, sampled, sessions
from support.teller import CHARGE, refunds_in

RUNS = 100 if FULL else 4  # half of them wait for an approval
BOUNDS = (4, 1) if FULL else (2,)  # sessions at once
SESSION_WAIT_S = 10  # in a queue
WAIT_S = 3000 if FULL else 240
SESSION_MB, REST_MB = 450, 1200  # a session's processes; the worker with its servers


class Sampled:
    """What the processes below one look like, again and again while the block lasts (Linux)."""

    def __init__(self, pid: int) -> None:
        self.most_sessions = self.most_mb = 0
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> "Sampled":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(0.2):
            found = sampled(self._pid)
            if found:
                self.most_sessions = max(self.most_sessions, len(sessions(found)))
                self.most_mb = max(self.most_mb, sum(map(pss_mb, [self._pid, *found])))


def pss_mb(pid: int) -> int:
    """Its memory, what it shares with others counted in part."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(rollup.partition("\nPss:")[2].split()[0]) // 1024 if "\nPss:" in rollup else 0


@pytest.mark.prove
@pytest.mark.parametrize("bound", BOUNDS)
def test_queued_runs_share_their_sessions_and_wait_without_any(bound: int, tmp_path: Path) -> None:
    case = Queued(tmp_path)
    case.add_approver()
    paying = [case.order("pay", "--input", f"amount={100 + number}") for number in range(RUNS // 2)]
    looking = [case.order("look", "--input", f"amount={number}") for number in range(RUNS // 2)]
    assert Counter(case.states().values()) == {"queued": RUNS}
    worker = case.worker("--concurrency", str(bound))
    try:
        with Sampled(worker.pid) as first:
            until(case, {"ok": len(looking), "waiting": len(paying)})
        asleep = without_sessions(worker.pid)
        print(f"{len(paying)} runs wait: {len(asleep)} processes below the worker, "
              f"{sum(map(pss_mb, [worker.pid, *asleep]))} MB with it")  # fmt: skip
        assert case.approve_all() == len(paying)
        with Sampled(worker.pid) as second:
            until(case, {"ok": RUNS})
    finally:
        case.kill(worker)
    most = max(first.most_sessions, second.most_sessions)
    memory = max(first.most_mb, second.most_mb)
    print(f"{RUNS} runs, {RUNS + len(paying)} parts of sessions: at most {most} at once, {memory} MB in all")
    assert 1 <= most <= bound
    assert memory < bound * SESSION_MB + REST_MB
    paid = Counter(refunds_in(case.home / "billing.db"))
    assert paid == Counter({(CHARGE, 100 + number): 1 for number in range(len(paying))})
    assert case.states() == dict.fromkeys([*paying, *looking], "ok")


def without_sessions(pid: int) -> dict[int, str]:
    """What is below the worker once the last sessions have waited for their calls as long as they may."""
    found: dict[int, str] = {}
    for _ in range(4 * SESSION_WAIT_S):
        found = sampled(pid)
        if found and not sessions(found):
            return found
        time.sleep(0.5)
    raise AssertionError(f"sessions wait with a process: {sessions(found)}")


def until(case: Queued, wanted: dict[str, int]) -> None:
    """Wait until so many runs are in these states."""
    over = threading.Event()
    timer = threading.Timer(WAIT_S, over.set)
    timer.start()
    try:
        while (found := Counter(case.states().values())) != wanted:
            assert not over.wait(1), f"{found} instead of {wanted}"
            assert not {"failed", "interrupted"} & set(found), found
    finally:
        timer.cancel()

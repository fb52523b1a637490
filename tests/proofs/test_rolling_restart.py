"""Two replicas of the service are restarted in turn, again and again, while runs are started, approved and followed:
none fails, none is lost, and each effect happens once.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import pytest
from support.programs import Program
from support.proofs import FULL
from support.service import Served
from support.teller import CHARGE, refunds_at

RUNS = 60 if FULL else 4
RESTARTS = 10 if FULL else 2
WAIT_S = 1800 if FULL else 240
_ENDED = {"ok", "failed", "cancelled", "interrupted"}


class Replicas:
    """Two of them, by name; a client asks the one that answers."""

    def __init__(self, case: Served, token: dict[str, str]) -> None:
        self._case, self._token = case, token
        self._running: dict[str, tuple[Program, str]] = {name: case.replica(name=name) for name in ("one", "two")}

    def restart(self, name: str) -> None:
        """End it as an orchestrator of containers does, then start it again."""
        process, _ = self._running.pop(name)
        self._end(process)
        self._running[name] = self._case.replica(name=name)

    def request(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """What the first replica says that answers, as behind a balancer; what was cut off is sent again."""
        ends = time.monotonic() + WAIT_S
        while True:
            for _, url in list(self._running.values()):
                try:
                    answer = httpx2.request(method, url + path, timeout=60, trust_env=False, **more)
                except httpx2.TransportError:
                    continue
                if answer.status_code not in (429, 502, 503):
                    return answer
            assert time.monotonic() < ends, path
            time.sleep(0.2)

    def stop(self) -> None:
        for process, _ in self._running.values():
            self._end(process)

    @staticmethod
    def _end(process: Program) -> None:
        process.terminate()
        assert process.wait(120) == 0
        process.close()


@pytest.mark.prove
@pytest.mark.cli_double
def test_no_run_fails_while_replicas_are_restarted(tmp_path: Path, postgres_url: str) -> None:
    case = Served(tmp_path, {"DATABASE_URL": postgres_url})
    case.add_approver()
    maya, ben = case.token("maya", "run", "read"), {**case.token("ben", "approve"), **case.approver()}
    replicas, done = Replicas(case, maya), Event()
    amounts = {f"case-{number}": 100 + number for number in range(RUNS)}

    def begin(key: str) -> str:
        task = {"task": f"amount: {amounts[key]}", "inputs": {"amount": amounts[key]}}
        body, headers = {"playbook": "pay", "model": "rehearsal", **task}, {**maya, "Idempotency-Key": key}
        answer = replicas.request("POST", "/v1/runs", json=body, headers=headers)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()["run_id"]

    def approve() -> None:
        while not done.wait(0.3):
            for item in replicas.request("GET", "/v1/approvals", headers=ben).json()["items"]:
                path = f"/v1/approvals/billing/{item['approval_id']}"
                replicas.request("POST", path, headers=ben, json={"decision": "approve"})

    def restart() -> None:
        for number in range(RESTARTS):
            replicas.restart(("one", "two")[number % 2])

    with ThreadPoolExecutor() as pool:
        approving, restarting = pool.submit(approve), pool.submit(restart)
        try:
            run_ids = [begin(key) for key in amounts]
            restarting.result()
            states = _until_ended(replicas, maya, run_ids)
        finally:
            done.set()
        approving.result()
    replicas.stop()
    assert states == dict.fromkeys(run_ids, "ok")
    assert sorted(refunds_at(postgres_url)) == sorted((CHARGE, amount) for amount in amounts.values())


def _until_ended(replicas: Replicas, token: dict[str, str], run_ids: list[str]) -> dict[str, str]:
    ends = time.monotonic() + WAIT_S
    while True:
        records = [replicas.request("GET", f"/v1/runs/{run_id}", headers=token).json() for run_id in run_ids]
        states = {record["run_id"]: str(record["status"]) for record in records}
        if set(states.values()) <= _ENDED:
            return states
        assert time.monotonic() < ends, states
        time.sleep(0.5)

"""Replicas of the service share a queue on PostgreSQL: a key starts one run, and one finishes what another has left."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from support.programs import Program
from support.service import Served, until
from support.teller import CHARGE, refunds_at

pytestmark = pytest.mark.cli_double

PAY = {"playbook": "pay", "task": "amount: 500", "inputs": {"amount": 500}, "model": "rehearsal"}


def test_what_a_dead_replica_has_left_is_finished_by_another(tmp_path: Path, postgres_url: str) -> None:
    case = Served(tmp_path, {"DATABASE_URL": postgres_url})
    case.add_approver()
    maya, ben = case.token("maya", "run", "read"), {**case.token("ben", "approve"), **case.approver()}
    replicas = [case.replica(name=name) for name in ("one", "two")]
    with ExitStack() as stack:
        clients = [stack.enter_context(case.client(maya, url)) for _, url in replicas]
        _one_dies(case, replicas, clients, ben)
    assert refunds_at(postgres_url) == [(CHARGE, 500)]


def _one_dies(
    case: Served, replicas: list[tuple[Program, str]], clients: list[httpx2.Client], approver_token: dict[str, str]
) -> None:
    def begin(client: httpx2.Client) -> tuple[int, str]:
        answer = client.post("/v1/runs", json=PAY, headers={"Idempotency-Key": "case-1"})
        return answer.status_code, answer.json()["run_id"]

    workers = clients[0].get("/v1/workers").json()["items"]
    assert [(worker["executor_id"], worker["alive"]) for worker in workers] == [("one", True), ("two", True)]
    with ThreadPoolExecutor() as pool:
        begun = list(pool.map(begin, clients * 4))
    assert sorted(status for status, _ in begun) == [200] * 7 + [202]
    (run_id,) = {run_id for _, run_id in begun}
    for client in clients:
        until(client, run_id, "waiting")
    (dead, _), (alive, url) = replicas
    dead.kill()
    dead.communicate()
    with case.client(approver_token, url) as approver:
        (item,) = approver.get("/v1/approvals").json()["items"]
        decided = approver.post(f"/v1/approvals/billing/{item['approval_id']}", json={"decision": "approve"})
        assert decided.json()["state"] == "approved"
    assert until(clients[1], run_id, "ok", "failed")["state"] == "ok"
    events = clients[1].get(f"/v1/runs/{run_id}/events").text
    assert events.count("event: run") == 1
    alive.terminate()
    assert alive.wait(120) == 0
    alive.close()

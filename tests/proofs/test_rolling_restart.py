"""Two replicas of the service and of each server are restarted in turn while runs are started, approved and followed:
none fails, none is lost, each effect happens once, and the audits' chains hold. Meanwhile the key of mandates
is rotated, and whoever approves gets another token and another key; no process is told.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import pytest
import yaml
from flotilla_kit.identity.keys import KeyRing
from support.programs import Program
from support.proofs import FULL
from support.runs import LOOK, READ
from support.server_replicas import ServerReplicas, server_replicas
from support.service import Served
from support.stage import answer
from support.teller import CHARGE, REFUND, refund, refunds_at

RUNS = 60 if FULL else 2
ROUNDS = 5 if FULL else 1
LOG = "mcp__crm__log_activity"
ACCOUNT = "cust_12345"
WAIT_S = 1800 if FULL else 240
_ENDED = {"ok", "failed", "cancelled"}  # one whose process was ended is "interrupted" until the next takes it up


class Spread(Served):
    """`pay`, whose run also writes into the CRM and, once it has ended, into the memory; the servers run elsewhere."""

    def place(self, servers: dict[str, ServerReplicas]) -> None:
        fleet = {
            "servers": {name: {"url": found.url} for name, found in servers.items()},
            "limits": {"retries": 0, "session_wait_s": 0},
        }
        self._write("fleet.yaml", yaml.safe_dump(fleet))
        amount = "{{ task | regex('amount: (\\d+)') | int }}"
        note = {"account_id": ACCOUNT, "kind": "note", "body": "{{ task | regex('amount: \\d+') }}"}
        status = "{{ results.refund.status if 'refund' in results and 'note' in results else errors }}"
        turns = [LOOK, {"call": LOG, "id": "note", "arguments": note}, refund(amount), answer(status)]
        script = {"name": "pay", "agents": {"single": [{"turns": turns}]}}
        self._write("rehearsals/pay.yaml", yaml.safe_dump(script))
        file = self.configs / "playbooks" / "pay.yaml"
        said = [{"speaker": "customer", "text": "{{ task }}"}]
        kept = {"account_id": ACCOUNT, "channel": "case", "occurred_at": "{{ run.ended_at }}", "turns": said}
        kept["external_id"] = "{{ run.id }}"
        after = {"episode": {"tool": "mcp__memory__record_episode", "arguments": kept}}
        self._write("playbooks/pay.yaml", yaml.safe_dump({**yaml.safe_load(file.read_text()), "after": after}))
        self._worker("single", tools=[READ, REFUND, LOG])


class Replicas:
    """Two of the service, by name; a client asks the one that answers."""

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
def test_no_run_fails_while_processes_are_restarted(tmp_path: Path, postgres_url: str, postgres_cluster: str) -> None:
    case = Spread(tmp_path, {"DATABASE_URL": postgres_url})
    case.add_approver()
    KeyRing(case.home / "keys").rotate()
    with server_replicas(("billing", "crm", "memory"), case.home, postgres_cluster) as servers:
        case.place(servers)
        run_ids = _restarted_under_load(case, servers)
        amounts = [100 + number for number in range(RUNS)]
        assert sorted(refunds_at(servers["billing"].database)) == [(CHARGE, amount) for amount in amounts]
        notes = servers["crm"].rows("SELECT body FROM activities WHERE body LIKE 'amount: %'")
        assert sorted(notes) == sorted((f"amount: {amount}",) for amount in amounts)
        episodes = servers["memory"].rows("SELECT external_id FROM episodes WHERE external_id LIKE 'run_%'")
        assert sorted(episodes) == sorted((run_id,) for run_id in run_ids)
        for server in servers.values():
            server.verify()
            assert not server.front.refused


def _restarted_under_load(case: Spread, servers: dict[str, ServerReplicas]) -> list[str]:
    """The runs, all of which have ended well."""
    maya, approver = case.token("maya", "run", "read"), [{**case.token("ben", "approve"), **case.approver()}]
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
            for item in replicas.request("GET", "/v1/approvals", headers=approver[-1]).json()["items"]:
                path = f"/v1/approvals/billing/{item['approval_id']}"
                replicas.request("POST", path, headers=approver[-1], json={"decision": "approve"})

    def rotate() -> None:
        KeyRing(case.home / "keys").rotate()
        case.add_approver("eve")
        approver.append({**case.token("new", "approve"), **case.approver("eve")})

    def restart() -> None:
        rotate()
        for _ in range(ROUNDS):
            for number, name in ((1, "one"), (2, "two")):
                for server in servers.values() if FULL or number == 1 else ():
                    server.restart(number)
                replicas.restart(name)

    with ThreadPoolExecutor() as pool:
        approving, restarting = pool.submit(approve), pool.submit(restart)
        try:
            run_ids = [begin(key) for key in amounts]
            restarting.result()
            states = _until_ended(replicas, maya, run_ids)
        finally:
            done.set()
        approving.result()
    answers = [replicas.request("GET", f"/v1/runs/{run_id}", headers=maya).json()["output"] for run_id in run_ids]
    replicas.stop()
    assert states == dict.fromkeys(run_ids, "ok")
    assert {answer["answer"] for answer in answers} <= {"succeeded", "pending"}, answers
    return run_ids


def _until_ended(replicas: Replicas, token: dict[str, str], run_ids: list[str]) -> dict[str, str]:
    ends = time.monotonic() + WAIT_S
    while True:
        records = [replicas.request("GET", f"/v1/runs/{run_id}", headers=token).json() for run_id in run_ids]
        states = {record["run_id"]: str(record["status"]) for record in records}
        if set(states.values()) <= _ENDED:
            assert not [record["error"] for record in records if record["error"]]
            return states
        assert time.monotonic() < ends, states
        time.sleep(0.5)

"""`flotilla serve` as a process: it works on what it takes, and ends without losing anything."""

import json

import pytest
from support.service import Served, until

pytestmark = pytest.mark.cli_double


def test_it_works_on_its_runs_and_leaves_what_waits_to_the_next_one(case: Served) -> None:
    case.add_approver()
    maya = case.token("maya", "run", "read")
    body = {"task": "amount: 500", "inputs": {"amount": 500}, "model": "rehearsal"}
    case.serve()
    with case.client(maya) as client:
        looks = client.post("/v1/runs", json={**body, "playbook": "look"}).json()["run_id"]
        pays = client.post("/v1/runs", json={**body, "playbook": "pay"}).json()["run_id"]
        assert until(client, looks, "ok", "failed")["state"] == "ok"
        assert client.get(f"/v1/runs/{looks}").json()["output"] == {"answer": "looked"}
        (waits,) = until(client, pays, "waiting", "ok", "failed")["waits_for"]
        assert waits["tool"] == "issue_refund"
    assert case.stop() == 0
    log = [json.loads(line) for line in (case.home / "serve-local.log").read_text().splitlines()]
    assert {line["status"] for line in log if line["event"] == "request"} == {200, 202}
    assert case.states()[pays] == "waiting"
    case.approve(pays)
    case.serve()
    with case.client(maya) as client:
        assert until(client, pays, "ok", "failed")["state"] == "ok"
        assert client.get(f"/v1/runs/{pays}").json()["output"] == {"answer": "succeeded"}
    assert case.stop() == 0

"""People steer runs over the API, whether or not a process is at work on them."""

from contextlib import suppress

import httpx2
import pytest
from support.service import Desk, Served, until


async def test_a_queued_run_is_paused_and_goes_on(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    path = f"/v1/runs/{(await api.start(maya))['run_id']}"
    assert (await api.client.post(f"{path}/resume", headers=maya)).json()["code"] == "run_not_paused"
    assert (await api.client.post(f"{path}/pause", headers=maya)).json()["state"] == "pausing"
    assert (await api.client.post(f"{path}/resume", headers=maya)).json()["state"] == "running"
    told = await api.client.post(f"{path}/messages", json={"text": "Be quick."}, headers=maya)
    assert (told.status_code, told.json()["state"]) == (202, "told")


async def test_what_cannot_be_done_with_a_run_is_a_conflict(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    run_id = (await api.start(maya))["run_id"]
    follow = await api.client.post(f"/v1/runs/{run_id}/follow-ups", json={"text": "And?"}, headers=maya)
    assert (follow.status_code, follow.json()["code"]) == (409, "run_not_ended")
    for word in ("pause", "resume", "cancel"):
        assert (await api.client.post(f"/v1/runs/run_none/{word}", headers=maya)).status_code == 404
        narrow = api.token(f"reader-{word}", "read")
        assert (await api.client.post(f"/v1/runs/{run_id}/{word}", headers=narrow)).status_code == 403


@pytest.mark.cli_double
def test_a_run_that_waits_is_cancelled_and_one_that_has_ended_is_followed_up(case: Served) -> None:
    maya, ben = case.token("maya", "run", "read"), case.token("ben", "run", "read")
    case.serve()
    body = {"task": "amount: 500", "inputs": {"amount": 500}, "model": "rehearsal"}
    with case.client(maya) as client:
        waits = client.post("/v1/runs", json={**body, "playbook": "pay"}).json()["run_id"]
        looks = client.post("/v1/runs", json={**body, "playbook": "look"}).json()["run_id"]
        until(client, waits, "waiting")
        assert client.post(f"/v1/runs/{waits}/cancel").status_code == 202
        assert until(client, waits, "cancelled", "ok", "failed")["state"] == "cancelled"
        assert client.post(f"/v1/runs/{waits}/cancel").json()["code"] == "run_ended"
        assert client.post(f"/v1/runs/{waits}/follow-ups", json={"text": "And then?"}).status_code == 202
        assert until(client, waits, "waiting", "cancelled", "failed")["state"] == "waiting", "it goes on"
        assert client.post(f"/v1/runs/{waits}/cancel").status_code == 202
        assert until(client, waits, "cancelled", "ok", "failed")["state"] == "cancelled"
        began = until(client, looks, "ok", "failed")["started_at"]
        with case.client(ben) as other:
            assert other.post(f"/v1/runs/{looks}/follow-ups", json={"text": "And then?"}).json()["state"] == "queued"
        assert until(client, looks, "ok", "failed")["started_at"] == began
        assert client.get(f"/v1/runs/{looks}").json()["output"] == {"answer": "And then?"}


@pytest.mark.cli_double
def test_a_further_turn_that_was_taken_by_a_service_that_was_killed_is_made_by_the_next(case: Served) -> None:
    token = case.token("maya", "run", "read")
    body = {"playbook": "look", "task": "amount: 500", "inputs": {"amount": 500}, "model": "rehearsal"}
    killed, url = case.replica(name="local", site="run_written", nth=2)
    with case.client(token, url) as client:
        run_id = client.post("/v1/runs", json=body).json()["run_id"]
        until(client, run_id, "ok", "failed")
        with suppress(httpx2.TransportError):  # it may be killed before it has answered
            client.post(f"/v1/runs/{run_id}/follow-ups", json={"text": "And then?"})
    assert killed.wait(60) == -9
    killed.close()
    case.serve()
    with case.client(token) as client:
        until(client, run_id, "ok", "failed")
        assert client.get(f"/v1/runs/{run_id}").json()["output"] == {"answer": "And then?"}

"""Webhooks are told what happens to runs: signed, once, again until it is taken, and what is never taken is listed."""

import base64
import time
from typing import Any

import pytest
import yaml
from flotilla_orchestrator.service.webhooks import signature
from support.service import Desk, Served, until
from support.webhook_receiver import SECRET, webhook_receiver

pytestmark = pytest.mark.cli_double

ASKS = {"playbook": "asks", "task": "Ask.", "model": "rehearsal"}


def with_webhook(case: Served, url: str, **more: Any) -> None:
    """The fleet, with a webhook named ops."""
    path = case.configs / "fleet.yaml"
    webhook = {"url": url, "secret_variable": "OPS_SECRET", **more}
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "webhooks": {"ops": webhook}}))
    case.environment["OPS_SECRET"] = f"whsec_{SECRET}"


def test_the_signature_is_that_of_the_specification() -> None:
    """By the example of the specification's libraries."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')
    assert signature(secret, *message) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_waits_and_what_has_finished_is_delivered_once(case: Served) -> None:
    maya, ben = case.token("maya", "run", "read"), case.token("ben", "approve")
    with webhook_receiver() as received:
        with_webhook(case, received.url)
        received.answers = [500]
        case.serve()
        with case.client(maya) as requester, case.client(ben) as approver:
            run_id = requester.post("/v1/runs", json=ASKS).json()["run_id"]
            (pending,) = received.until(1)
            decision = f"/v1/runs/{run_id}/steps/{pending['data']['step']}/decision"
            assert approver.post(decision, json={"decision": "approve"}).status_code == 200
            _, finished = received.until(2)
            until(requester, run_id, "ok", "failed")
            found = requester.get("/v1/webhooks/deliveries").json()["items"]
        assert case.stop() == 0
    assert [one["type"] for one in (pending, finished)] == ["approval.pending", "run.finished"]
    wanted = {"run_id": run_id, "playbook": "asks", "requested_by": "maya", "step": "sign-off"}
    assert pending["data"] == {**wanted, "approval_id": f"{run_id}/sign-off"}
    assert (finished["data"]["run_id"], finished["data"]["status"]) == (run_id, "ok")
    assert {(one["type"], one["state"], one["attempts"]) for one in found} == {
        ("approval.pending", "delivered", 2),
        ("run.finished", "delivered", 1),
    }
    assert (len(received.ids), len(set(received.ids)), received.refused) == (3, 2, 0)


def test_what_was_not_taken_is_delivered_by_the_next_process(case: Served) -> None:
    maya = case.token("maya", "run", "read")
    with webhook_receiver() as gone:
        port = int(gone.url.rpartition(":")[2].partition("/")[0])
    with_webhook(case, gone.url, events=["run.finished"])
    case.serve()
    with case.client(maya) as requester:
        run_id = requester.post("/v1/runs", json={**ASKS, "playbook": "look", "inputs": {"amount": 1}}).json()["run_id"]
        until(requester, run_id, "ok", "failed")
        failed = _until_failed(requester)
        assert (failed["error"], failed["attempts"], failed["state"]) == ("ConnectError", 1, "pending")
    assert case.serving
    case.kill(case.serving)
    with webhook_receiver(port) as received:
        case.serve()
        (finished,) = received.until(1)
        assert finished["data"]["run_id"] == run_id
        assert case.stop() == 0


def test_a_receiver_that_is_gone_for_good_is_asked_again_by_people_only(case: Served) -> None:
    maya = case.token("maya", "run", "read")
    with webhook_receiver() as received:
        with_webhook(case, received.url)
        received.answers = [410]
        case.serve()
        with case.client(maya) as requester:
            look = {**ASKS, "playbook": "look", "inputs": {"amount": 1}}
            requester.post("/v1/runs", json=look)
            dead = _until_failed(requester)
            assert (dead["state"], dead["error"], dead["due_at"]) == ("dead", "HTTP 410", None)
            path = f"/v1/webhooks/deliveries/{dead['delivery_id']}/retry"
            assert requester.post(path).status_code == 202
            received.until(1)
            again = requester.post(path)
            assert again.status_code in (202, 409)
            listed = requester.get("/v1/webhooks/deliveries", params={"state": "dead"}).json()["items"]
            assert listed == []
        assert case.stop() == 0
    assert received.ids == [dead["delivery_id"]] * 2


def test_a_webhook_without_a_secret_is_refused_at_the_start(case: Served) -> None:
    with_webhook(case, "https://ops.example/hooks")
    for secret in ("", "whsec_c2hvcnQ=", "not base64"):
        case.environment["OPS_SECRET"] = secret
        process = case.start("serve", "--http", "127.0.0.1:0", *case.where)
        _, told = process.communicate(60)
        assert process.returncode == 2
        assert "The secret of the webhook ops, OPS_SECRET, is not set" in told


def test_a_webhook_beyond_this_machine_takes_tls(case: Served) -> None:
    with_webhook(case, "http://ops.example/hooks")
    process = case.start("serve", "--http", "127.0.0.1:0", *case.where)
    _, told = process.communicate(60)
    assert process.returncode == 2
    assert "webhooks.ops.url" in told


async def test_an_unknown_delivery_is_not_found(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    answer = await api.client.post(f"/v1/webhooks/deliveries/whd_{'0' * 24}_ops/retry", headers=maya)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_delivery")
    reader = api.token("ben", "read")
    assert (
        await api.client.post(f"/v1/webhooks/deliveries/whd_{'0' * 24}_ops/retry", headers=reader)
    ).status_code == 403


def _until_failed(client: Any) -> dict[str, Any]:
    """The only delivery, once an attempt has failed."""

    ends = time.monotonic() + 60
    while True:
        found = client.get("/v1/webhooks/deliveries").json()["items"]
        if found and found[0]["error"]:
            return found[0]
        assert time.monotonic() < ends, found
        time.sleep(0.1)

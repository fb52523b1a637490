"""People decide over the API, with a token that goes to the server which asks, and never about their own run."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from fastmcp import Client
from support.console import Browser
from support.service import Desk, Served, until
from support.teller import refunds_in

pytestmark = pytest.mark.cli_double

APPROVE, REJECT = {"decision": "approve"}, {"decision": "reject", "reason": "not today"}


def refused(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_call_is_decided_by_an_approver_and_not_by_whoever_asked_for_the_run(case: Served) -> None:
    case.add_approver()
    maya, ben = case.token("maya", "run", "read", "approve"), case.token("ben", "approve")
    ada = case.approver()
    case.serve()
    body = {"playbook": "pay", "task": "amount: 500", "inputs": {"amount": 500}, "model": "rehearsal"}
    with case.client(maya) as requester, case.client(ben) as approver:
        run_id = requester.post("/v1/runs", json=body).json()["run_id"]
        (waits,) = until(requester, run_id, "waiting", "ok", "failed")["waits_for"]
        assert approver.get("/v1/approvals").json() == {"items": [], "problems": []}
        (item,) = approver.get("/v1/approvals", headers=ada).json()["items"]
        assert (item["server"], item["approval_id"], item["run"]) == ("billing", waits["approval_id"], run_id)
        path = f"/v1/approvals/billing/{item['approval_id']}"
        assert refused(requester.post(path, json=APPROVE, headers=ada)) == (403, "own_run")
        assert refused(approver.post(path, json=APPROVE)) == (403, "no_approver")
        assert refused(approver.post(path.replace("billing", "crm"), json=APPROVE, headers=ada))[0] == 404
        assert refused(approver.post(f"{path}0", json=APPROVE, headers=ada))[0] in (404, 422)
        decided = approver.post(path, json=APPROVE, headers=ada)
        assert (decided.status_code, decided.json()["state"]) == (200, "approved")
        assert decided.json()["decided_by"] == "ada"
        assert until(requester, run_id, "ok", "failed")["state"] == "ok"
        assert requester.get(f"/v1/runs/{run_id}").json()["output"] == {"answer": "succeeded"}
        assert refused(approver.post(path, json=REJECT, headers=ada))[0] == 409
    written = "".join(path.read_text(errors="replace") for path in case.home.rglob("*") if path.is_file())
    assert ada["Flotilla-Approver-Token"] not in written


def test_what_a_step_asks_is_answered_once_by_somebody_else(case: Served) -> None:
    maya, ben = case.token("maya", "run", "read", "approve"), case.token("ben", "approve")
    case.serve()
    with case.client(maya) as requester, case.client(ben) as approver:
        run_id = requester.post("/v1/runs", json={"playbook": "asks", "task": "Ask.", "model": "rehearsal"}).json()[
            "run_id"
        ]
        until(requester, run_id, "waiting", "ok", "failed")
        (item,) = approver.get("/v1/approvals").json()["items"]
        assert (item["server"], item["step"], item["run"]) == (None, "sign-off", run_id)
        path = f"/v1/runs/{run_id}/steps/sign-off/decision"
        assert refused(requester.post(path, json=APPROVE)) == (403, "own_run")
        decided = approver.post(path, json={**APPROVE, "reason": "go on"})
        assert (decided.json()["state"], decided.json()["decided_by"]) == ("approved", "ben")
        assert refused(approver.post(path, json=REJECT)) == (409, "approval_decided")
        assert until(requester, run_id, "ok", "failed")["state"] == "ok"
        assert approver.get("/v1/approvals").json()["items"] == []


def test_of_four_clients_at_once_one_decides_and_the_others_are_told_whose(case: Served) -> None:
    """The command, the API, the console, and a foreign MCP client at the server; each approver is somebody else."""
    names = ("ada", "ben", "cora", "dan")
    for name in names:
        case.add_approver(name)
    tokens = {name: case.approver(name)["Flotilla-Approver-Token"] for name in names}
    maya, ben, cora = case.token("maya", "run", "read"), case.token("ben", "approve"), case.token("cora", "approve")
    case.serve()
    body = {"playbook": "pay", "task": "amount: 500", "inputs": {"amount": 500}, "model": "rehearsal"}
    with case.client(maya) as requester, case.client({**ben, "Flotilla-Approver-Token": tokens["ben"]}) as approver:
        run_id = requester.post("/v1/runs", json=body).json()["run_id"]
        (waits,) = until(requester, run_id, "waiting", "ok", "failed")["waits_for"]
        approval_id = waits["approval_id"]

        def by_command() -> str:
            key = case.home / "approvers" / "billing-ada.jwk"
            words = ["reject", approval_id, "--server", "billing", "--key", str(key), *case.where]
            return json.dumps(case.answer("approvals", *words, "--reason", "no"))

        def by_api() -> str:
            return approver.post(f"/v1/approvals/billing/{approval_id}", json=REJECT).text

        def by_console() -> str:
            return asyncio.run(_decide_by_console(case.url, cora, tokens["cora"], approval_id))

        def by_mcp() -> str:
            return asyncio.run(_decide_by_mcp(case.server_url("billing"), tokens["dan"], approval_id))

        with ThreadPoolExecutor() as pool:
            ways = [pool.submit(way) for way in (by_command, by_api, by_console, by_mcp)]
            answers = dict(zip(names, [way.result() for way in ways], strict=True))
        assert until(requester, run_id, "ok", "failed")["state"] == "ok"
        spans = requester.get(f"/v1/runs/{run_id}/events").text
    counted = {name for name, said in answers.items() if not re.search("approval_decided|was not counted", said)}
    (winner,) = counted
    assert all(winner in said for said in answers.values()), answers
    assert f'"by":"{winner}"' in spans
    assert refunds_in(case.home / "billing.db") == []


async def _decide_by_console(url: str, token: dict[str, str], approver_token: str, approval_id: str) -> str:
    async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        browser = Browser(client, url)
        assert (await browser.sign_in(token)).status_code == 303
        assert (await browser.post("/tokens", tokens=approver_token)).status_code == 303
        path = f"/approvals/billing/{approval_id}"
        await browser.get(path)
        said = await browser.post(path, decision="reject", reason="no")
        return (await client.get(said.headers["location"]) if said.is_redirect else said).text


async def _decide_by_mcp(url: str, token: str, approval_id: str) -> str:
    """What a client hears that knows nothing of Flotilla."""
    async with Client(url, auth=token) as client:
        arguments = {"approval_id": approval_id, "decision": "reject", "reason": "no"}
        result = await client.call_tool("decide_approval", arguments, raise_on_error=False)
        return "".join(getattr(content, "text", "") for content in result.content)


async def test_only_the_approve_scope_decides(api: Desk) -> None:
    wide, maya = api.token("ben", "run", "read"), api.token("maya", "run")
    run_id = (await api.start(maya))["run_id"]
    for path in ("/v1/approvals/desk/apr_1", f"/v1/runs/{run_id}/steps/look/decision"):
        assert refused(await api.client.post(path, json=APPROVE, headers=wide)) == (403, "insufficient_scope")
    approver = api.token("ada", "approve")
    unasked = await api.client.post(f"/v1/runs/{run_id}/steps/look/decision", json=APPROVE, headers=approver)
    assert refused(unasked) == (404, "unknown_approval")
    bad = {**approver, "Flotilla-Approver-Token": "nonsense"}
    assert refused(await api.client.get("/v1/approvals", headers=bad)) == (422, "invalid_arguments")

"""Runs over the API: started once for a key, listed page by page, and got by id."""

import json
from pathlib import Path

import yaml
from support.config_folder import Folder
from support.service import PROBLEM, RUN, Desk, desk


async def test_a_run_is_queued_and_says_who_asked_for_it(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    answer = await api.client.post("/v1/runs", json=RUN, headers=maya)
    run = answer.json()
    assert (answer.status_code, run["status"], run["requested_by"]) == (202, "queued", "maya")
    found = await api.client.get(answer.headers["location"], headers=maya)
    assert {**found.json(), "totals": None} == {**run, "totals": None}  # of which the time goes on
    (listed,) = (await api.client.get("/v1/runs", headers=maya)).json()["items"]
    assert (listed["run_id"], listed["state"], listed["requested_by"]) == (run["run_id"], "queued", "maya")


async def test_a_key_starts_one_run_however_often_it_is_sent(api: Desk) -> None:
    maya = {**api.token("maya", "run", "read"), "Idempotency-Key": "case-1"}
    first = await api.client.post("/v1/runs", json=RUN, headers=maya)
    again = await api.client.post("/v1/runs", json=RUN, headers=maya)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["run_id"] == again.json()["run_id"]
    other = await api.client.post("/v1/runs", json={**RUN, "task": "Do something else."}, headers=maya)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")
    assert len((await api.client.get("/v1/runs", headers=maya)).json()["items"]) == 1


async def test_a_key_of_somebody_else_is_another_key(api: Desk) -> None:
    runs = [
        await api.client.post("/v1/runs", json=RUN, headers={**api.token(name, "run"), "Idempotency-Key": "1"})
        for name in ("maya", "ben")
    ]
    assert len({run.json()["run_id"] for run in runs}) == 2


async def test_pages_have_every_run_once_newest_first(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    started = [(await api.start(maya))["run_id"] for _ in range(5)]
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        page = (await api.client.get("/v1/runs", params=query, headers=maya)).json()
        seen += [run["run_id"] for run in page["items"]]
        if not page["next_cursor"]:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(seen) == sorted(started)
    times = [run["started_at"] for run in (await api.client.get("/v1/runs", headers=maya)).json()["items"]]
    assert times == sorted(times, reverse=True)


async def test_runs_are_filtered_by_state_and_playbook(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    await api.start(maya)
    for query, number in (({"state": "queued"}, 1), ({"state": "ok"}, 0), ({"playbook": "other"}, 0)):
        page = await api.client.get("/v1/runs", params=query, headers=maya)
        assert len(page.json()["items"]) == number, query


async def test_a_full_backlog_asks_to_come_again(tmp_path: Path) -> None:
    async with desk(tmp_path, backlog=1) as api:
        maya = {**api.token("maya", "run", "read"), "Idempotency-Key": "first"}
        assert (await api.client.post("/v1/runs", json=RUN, headers=maya)).status_code == 202
        full = await api.client.post("/v1/runs", json=RUN, headers={**maya, "Idempotency-Key": "second"})
        assert (full.status_code, full.json()["code"], full.json()["retryable"]) == (429, "backlog_full", True)
        assert int(full.headers["retry-after"]) >= 1
        again = await api.client.post("/v1/runs", json=RUN, headers=maya)
        assert again.status_code == 200, "what was taken is not refused"
        assert len((await api.client.get("/v1/runs", headers=maya)).json()["items"]) == 1


async def test_what_the_playbook_does_not_take_starts_nothing(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    for body in (
        {**RUN, "playbook": "nix"},
        {**RUN, "task": ""},
        {**RUN, "task": "a\0b"},
        {**RUN, "inputs": {"deep": {"text": "\ud800"}}},
        {**RUN, "more": 1},
        {**RUN, "model": "other"},
    ):
        headers = {**maya, "Content-Type": "application/json"}
        answer = await api.client.post("/v1/runs", content=json.dumps(body), headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM), body
    assert (await api.client.get("/v1/runs", headers=maya)).json()["items"] == []


async def test_without_a_credential_no_run_of_claude_is_taken(api: Desk) -> None:
    answer = await api.client.post("/v1/runs", json={**RUN, "model": "claude"}, headers=api.token("maya", "run"))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_credential")


async def test_what_a_guardrail_denies_starts_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "given")
    rule = {"name": "secrets", "description": "Secrets stay out of it.", "applies_to": "input"}
    folder.write("guardrails/deny.yaml", yaml.safe_dump({**rule, "patterns": ["topsecret"], "effect": "deny"}))
    async with desk(tmp_path, configs=folder.path) as api:
        maya = api.token("maya", "run", "read")
        answer = await api.client.post("/v1/runs", json={**RUN, "task": "It is topsecret."}, headers=maya)
        assert (answer.status_code, answer.json()["code"]) == (422, "denied_by_guardrail")
        assert answer.json()["details"]["guardrail"] == "secrets"
        assert (await api.client.get("/v1/runs", headers=maya)).json()["items"] == []

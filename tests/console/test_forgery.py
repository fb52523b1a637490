"""What another site's page can make a browser do here, and what answers tell browsers not to do."""

import re

import pytest
from fastapi.routing import APIRoute
from flotilla_orchestrator.console import approvals, changes, fleet, pages, runs, sign_in, start, statistics
from support.console import browser
from support.service import Desk

ROUTES = [
    route
    for part in (approvals, changes, fleet, pages, runs, sign_in, start, statistics)
    for route in part.router.routes
    if isinstance(route, APIRoute)
]
POSTED = sorted({route.path.removeprefix("/console") for route in ROUTES if "POST" in (route.methods or ())})
VALUES = {"run_id": "{run}", "step": "look", "server": "desk", "approval_id": "apr_1", "name": "case"}
ACTIONS = ("pause", "resume", "cancel", "message", "follow-up")
FIELDS = {"decision": "approve", "text": "Hear.", "task": "Do it.", "model": "rehearsal", "tokens": "x", "number": "0"}


def test_every_form_is_known_here() -> None:
    assert POSTED == [
        "/approvals/{server}/{approval_id}",
        "/runs/{run_id}/steps/{step}",
        "/runs/{run_id}/{action}",
        "/sign-in",
        "/sign-out",
        "/start/{name}",
        "/tokens",
        "/tokens/remove",
    ]


@pytest.mark.parametrize(
    "forged",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json"},
    ],
)
async def test_no_form_is_taken_that_another_page_has_sent(api: Desk, forged: dict[str, str]) -> None:
    ben = api.token("ben", "run", "read", "approve")
    run_id = (await api.start(ben))["run_id"]
    async with browser(api, ben) as person:
        token, cookies = person.form_token, dict(person.client.cookies)
        for path in paths(run_id):
            answer = await person.post(path, {**FIELDS, "form_token": token}, forged)
            assert answer.status_code in (403, 415), path
        assert dict(person.client.cookies) == cookies
    runs = (await api.client.get("/v1/runs", headers=ben)).json()["items"]
    assert [(run["run_id"], run["state"]) for run in runs] == [(run_id, "queued")]


async def test_no_form_is_taken_without_the_token_of_its_session(api: Desk) -> None:
    ben, eve = api.token("ben", "run", "read", "approve"), api.token("eve", "run", "read")
    run_id = (await api.start(ben))["run_id"]
    async with browser(api, ben) as person, browser(api, eve) as other:
        cookies = dict(person.client.cookies)
        for token in ("", "0" * 64, "ä", other.form_token):
            for path in paths(run_id):
                answer = await person.post(path, {**FIELDS, "form_token": token})
                assert (answer.status_code, "of another session" in answer.text) == (403, True), path
        assert dict(person.client.cookies) == cookies
        assert person.form_token != other.form_token
    (run,) = (await api.client.get("/v1/runs", headers=ben)).json()["items"]
    assert run["state"] == "queued"


async def test_a_form_is_of_one_session_only(api: Desk) -> None:
    """Whoever has planted a form before somebody signed in does not have it filled in afterwards."""
    async with browser(api) as person:
        await person.get("/sign-in")
        planted = person.form_token
        await person.sign_in(api.token("maya", "run", "read"))
        assert (await person.post("/start/case", {**FIELDS, "form_token": planted})).status_code == 403


async def test_every_answer_says_what_browsers_may_not_do(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    run_id = (await api.start(maya))["run_id"]
    async with browser(api) as stranger, browser(api, maya) as person:
        answers = [await stranger.get(path) for path in ("/sign-in", "/runs", "/nowhere")]
        answers += [await stranger.client.get("/"), await stranger.client.get("/console")]
        answers += [await person.get(path) for path in ("/", "/runs", f"/runs/{run_id}", "/runs/run_none", "/start")]
        answers += [await person.get(path) for path in ("/nowhere", "/stats", "/fleet", "/tokens", "/runs?cursor=x")]
        answers.append(await person.post("/start/case", task="", model="rehearsal"))
    for answer in answers:
        parts = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
        policy = {name: allowed for name, _, allowed in parts}
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        said = {name: answer.headers[name] for name in ("x-frame-options", "x-content-type-options", "cache-control")}
        assert said == {"x-frame-options": "DENY", "x-content-type-options": "nosniff", "cache-control": "no-store"}
        assert answer.headers["referrer-policy"] == "same-origin", "with no-referrer, forms would have no Origin"
        assert not re.search(r"<style|<script(?! src=\"/console/static/)| style=| on\w+=|https?://", answer.text), (
            answer.url
        )


async def test_style_and_script_are_named_by_their_content_and_kept(api: Desk) -> None:
    async with browser(api) as person:
        page = (await person.get("/sign-in")).text
        for path in set(re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page)):
            answer = await person.client.get(path)
            assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert (await person.get(path.removeprefix("/console")[:-8] + "0.css")).status_code == 404


def paths(run_id: str) -> list[str]:
    found = [path.format(**{**VALUES, "run_id": run_id, "action": "{action}"}) for path in POSTED]
    return [
        path.replace("{action}", action)
        for path in found
        for action in ACTIONS
        if "{action}" in path or action == "pause"
    ]

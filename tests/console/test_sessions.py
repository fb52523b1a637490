"""Sessions of browsers: cookies that hold the tokens, at every replica and after a restart, for the console alone."""

import re
from http.cookies import SimpleCookie
from pathlib import Path

import httpx2
import pytest
from flotilla_kit.identity.approvers import mint
from flotilla_kit.identity.keys import SigningKey
from flotilla_orchestrator.console.app import console_app
from flotilla_orchestrator.service.authentication import BearerTokens, NoAuthentication
from flotilla_orchestrator.service.tokens import Tokens
from support.console import Browser, browser
from support.service import Desk, desk


async def test_whoever_has_not_signed_in_is_sent_to_do_so_and_then_on(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    async with browser(api) as maya_browser:
        sent = await maya_browser.get("/runs?state=ok")
        assert (sent.status_code, sent.headers["location"]) == (303, "/console/sign-in?next=/console/runs%3Fstate%3Dok")
        answer = await maya_browser.sign_in(maya, "/console/runs%3Fstate%3Dok")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/runs?state=ok")
        assert (await maya_browser.get("/runs?state=ok")).status_code == 200


async def test_a_token_that_is_not_taken_is_neither_kept_nor_shown(api: Desk) -> None:
    async with browser(api) as stranger:
        await stranger.get("/sign-in")
        for token in ("flt_wrong", "", "ä", "a b", "x" * 5000):
            answer = await stranger.post("/sign-in", token=token, next="/console/")
            assert answer.status_code == 401
            assert "That token is not taken" in answer.text
            assert "set-cookie" not in answer.headers
            assert "flt_wrong" not in answer.text


@pytest.mark.parametrize(
    ("origin", "name", "attributes"),
    [
        ("http://localhost", "flotilla-token", {"path": "/console", "secure": ""}),
        ("http://127.0.0.1:8100", "flotilla-token", {"path": "/console", "secure": ""}),
        ("https://flotilla.example", "__Host-flotilla-token", {"path": "/", "secure": True}),
    ],
)
async def test_no_script_reads_the_cookies_and_no_other_site_sends_them(
    api: Desk, origin: str, name: str, attributes: dict[str, str]
) -> None:
    maya = api.token("maya", "read")
    async with browser(api, origin=origin) as person:
        await person.get("/sign-in")
        token = maya["Authorization"].removeprefix("Bearer ")
        answer = await person.post("/sign-in", token=token, next="/console/")
        kept = [
            SimpleCookie(line) for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}={token}")
        ]
        (cookie,) = (found[name] for found in kept)
        assert (cookie["httponly"], cookie["samesite"].lower(), cookie["max-age"]) == (True, "strict", "")
        assert {key: cookie[key] for key in attributes} == attributes


async def test_beyond_this_machine_no_token_is_taken_over_plain_http(api: Desk) -> None:
    maya = api.token("maya", "read")
    async with browser(api, origin="http://flotilla.example") as person:
        await person.get("/sign-in")
        answer = await person.post("/sign-in", token=maya["Authorization"].removeprefix("Bearer "), next="/console/")
        assert (answer.status_code, "over HTTPS only" in answer.text) == (403, True)
        assert "flotilla-token" not in answer.headers.get("set-cookie", "")


async def test_a_session_holds_at_every_replica_and_after_a_restart(api: Desk) -> None:
    maya = api.token("maya", "run", "read")
    async with browser(api, maya) as person:
        await person.get("/start/case")
        replica = console_app(api.resources, BearerTokens(Tokens(api.resources.home)), 100)
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(replica), base_url="http://localhost", cookies=person.client.cookies
        ) as client:
            there = Browser(client)
            there.form_token = person.form_token  # of the form that the first one has rendered
            started = await there.post("/start/case", task="Do it.", model="rehearsal", key="k1")
            assert started.status_code == 303
            assert (await there.get(started.headers["location"].removeprefix("/console"))).status_code == 200


async def test_a_session_ends_with_its_token_and_by_signing_out(api: Desk) -> None:
    maya = api.token("maya", "read")
    async with browser(api, maya) as person:
        await person.post("/sign-out")
        assert not person.client.cookies
        assert (await person.get("/runs")).status_code == 303
    ben = api.token("ben", "read")
    async with browser(api, ben) as person:
        Tokens(api.resources.home).remove("ben")
        ended = await person.get("/runs")
        assert (ended.status_code, ended.headers["location"]) == (303, "/console/sign-in?next=/console/runs&ended=1")
        assert "not taken any more" in (await person.get(ended.headers["location"].removeprefix("/console"))).text


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/console//evil.example\\", "/v1/runs", "/console/%0d%0aX: y"]
)
async def test_signing_in_leads_nowhere_else(api: Desk, wanted: str) -> None:
    async with browser(api) as person:
        answer = await person.sign_in(api.token("maya", "read"), wanted)
        assert answer.headers["location"] in ("/console/", "/console//evil.example"), "on this host"
        assert "evil" not in answer.headers["location"] or answer.headers["location"].startswith("/console/")


async def test_the_cookies_open_nothing_of_the_api(api: Desk) -> None:
    ben = api.token("ben", "run", "read", "approve")
    async with browser(api, ben) as person:
        for method, path in (("GET", "/v1/runs"), ("POST", "/v1/runs"), ("GET", "/v1/approvals")):
            for headers in ({}, {"Origin": "https://evil.example"}):
                cookies = "; ".join(f"{name}={value}" for name, value in person.client.cookies.items())
                answer = await person.client.request(method, path, headers={**headers, "Cookie": cookies})
                assert answer.status_code == 401, path


async def test_a_link_on_another_site_arrives_although_strict_cookies_stay_behind(api: Desk) -> None:
    maya = api.token("maya", "read")
    async with browser(api) as person:
        arrived = await person.get("/runs?state=ok", **{"Sec-Fetch-Site": "cross-site"})
        assert (arrived.status_code, 'http-equiv="refresh"' in arrived.text) == (200, True)
        assert 'href="/console/runs?state=ok"' in arrived.text
        assert (await person.get("/runs", **{"Sec-Fetch-Site": "same-origin"})).status_code == 303
        await person.sign_in(maya)


async def test_without_authentication_nobody_signs_in_and_only_this_machine_is_answered(tmp_path: Path) -> None:
    async with desk(tmp_path, authentication=NoAuthentication()) as api, browser(api) as person:
        assert (await person.get("/sign-in")).headers["location"] == "/console/"
        page = await person.get("/start/case")
        assert (page.status_code, "Sign out" in page.text) == (200, False)
        assert (await person.post("/start/case", task="Do it.", model="rehearsal", key="k")).status_code == 303
        for headers in ({"Host": "evil.example"}, {"Host": "flotilla.example:8100"}):
            assert (await person.get("/runs", **headers)).status_code == 421


async def test_approvers_tokens_stay_in_the_browser_until_they_expire(api: Desk) -> None:
    key = SigningKey.generate("ada")
    desk_token = mint(key, issuer="flotilla-desk-approvers", audience="desk", minutes=30)
    newer = mint(key, issuer="flotilla-desk-approvers", audience="desk", minutes=50)
    other = mint(key, issuer="flotilla-crm-approvers", audience="crm", minutes=30)
    async with browser(api, api.token("ben", "approve", "read")) as person:
        await person.get("/tokens")
        for wrong in ("nonsense", "a.b.c", mint(key, issuer="x", audience="desk", minutes=0.001)[:-3] + "\n\0"):
            refused = await person.post("/tokens", tokens=wrong)
            assert (refused.status_code, "approver" in refused.text) == (422, True)
        answer = await person.post("/tokens", tokens=f"{desk_token}\n{other}")
        assert answer.status_code == 303
        ages = [SimpleCookie(line) for line in answer.headers.get_list("set-cookie") if '=""' not in line]
        assert [1700 < int(found[name]["max-age"]) <= 1800 for found in ages for name in found] == [True, True]
        page = (await person.get("/tokens")).text
        assert re.findall(r'<tr><th scope="row">([^<]*)</th><td>ada</td>', page) == ["desk", "none of this fleet"]
        await person.post("/tokens", tokens=newer)
        await person.get("/tokens")
        assert set(person.client.cookies.values()) >= {newer, other}
        assert desk_token not in person.client.cookies.values(), "a newer one takes its place"
        person.client.cookies.delete("flotilla-approver-0")  # it has expired
        (left,) = {newer, other} & set(person.client.cookies.values())
        await person.post("/tokens/remove", number="0")
        assert left not in person.client.cookies.values()
    written = "".join(path.read_text(errors="replace") for path in api.resources.home.rglob("*") if path.is_file())
    assert not [token for token in (desk_token, newer, other) if token in written]

"""What a token's scopes open of the console: pages that are not for it are not linked, and not answered."""

import pytest
from support.console import browser
from support.service import Desk

PAGES = {
    "/": {"read", "approve"},
    "/tokens": {"read", "approve"},
    "/approvals/desk/apr_1": {"read", "approve"},
    "/changes/approvals": {"read", "approve"},
    "/runs": {"read"},
    "/runs/{run}": {"read"},
    "/fleet": {"read"},
    "/fleet/workers/lead": {"read"},
    "/stats": {"read"},
    "/changes/runs": {"read"},
    "/changes/runs/{run}": {"read"},
    "/start": {"run"},
    "/start/case": {"run"},
}
FORMS = {
    "/start/case": "run",
    **{f"/runs/{{run}}/{action}": "run" for action in ("pause", "resume", "cancel", "message", "follow-up")},
    "/approvals/desk/apr_1": "approve",
    "/runs/{run}/steps/look": "approve",
}


@pytest.mark.parametrize("scope", ["read", "run", "approve"])
async def test_a_token_opens_the_pages_of_its_scopes_and_no_others(api: Desk, scope: str) -> None:
    run_id = (await api.start(api.token("maya", "run")))["run_id"]
    api.resources.stopping.set()  # streams end at once
    async with browser(api, api.token("ben", scope)) as person:
        for path, scopes in PAGES.items():
            answer = await person.get(path.replace("{run}", run_id))
            refused = answer.status_code == 403 and "insufficient_scope" in answer.text
            assert refused == (scope not in scopes), (path, answer.status_code)
        page = (await person.get("/start" if scope == "run" else "/")).text
        for path in ("/runs", "/start", "/fleet", "/stats"):
            assert (f'href="/console{path}"' in page) == (scope in PAGES[path]), path


@pytest.mark.parametrize("scope", ["read", "run", "approve"])
async def test_a_token_sends_the_forms_of_its_scopes_and_no_others(api: Desk, scope: str) -> None:
    run_id = (await api.start(api.token("maya", "run")))["run_id"]
    async with browser(api, api.token("ben", scope)) as person:
        for path, needed in FORMS.items():
            answer = await person.post(path.replace("{run}", run_id), decision="approve", text="Hear.", task="")
            refused = answer.status_code == 403 and "insufficient_scope" in answer.text
            assert refused == (scope != needed), (path, answer.status_code)


async def test_whoever_may_only_start_runs_is_sent_to_the_forms(api: Desk) -> None:
    async with browser(api) as person:
        answer = await person.sign_in(api.token("ben", "run"))
        assert answer.headers["location"] == "/console/start"


async def test_whoever_may_only_read_sees_no_buttons(api: Desk) -> None:
    run_id = (await api.start(api.token("maya", "run")))["run_id"]
    for scopes, buttons in ((("read",), 0), (("read", "run"), 3)):  # pause, cancel, send
        async with browser(api, api.token("".join(scopes), *scopes)) as person:
            page = (await person.get(f"/runs/{run_id}")).text
            main = page.partition("<main")[2]
            assert main.count("<button") - main.count("data-zoom") == buttons

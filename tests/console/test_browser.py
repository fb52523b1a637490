"""The console in a real Chromium, on a real service with the scripted model."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Generator
from importlib.resources import files
from typing import Any, Literal

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, ViewportSize, async_playwright, expect
from support import programs
from support.console_case import CHROMIUM, HOSTILE, ConsoleCase, Person, api_token
from support.proofs import FULL

pytestmark = [
    pytest.mark.cli_double,
    pytest.mark.xdist_group("console"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        not CHROMIUM.exists() and not os.environ.get("CI"), reason="no Chromium: install Debian's chromium"
    ),
]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
FOCUSED = "[document.activeElement.value, document.activeElement.closest('article')?.innerText]"
REFUND = ("ch_maya_feb_2", 500)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Generator[ConsoleCase]:
    """A service at work, with two people who start runs and approve, and two approvers on its servers."""
    with pytest.MonkeyPatch.context() as patch:
        if not FULL:
            patch.setattr(programs, "claude", str(programs.claude_double()))
        found = ConsoleCase(tmp_path_factory.mktemp("console"))
        found.add_approvers("ada", "grace")
        found.eve = api_token(found.token("eve", "run", "read", "approve"))
        asyncio.run(found.write_note())
        found.maya = api_token(found.token("maya", "run", "read", "approve"))
        found.ben = api_token(found.token("ben", "read", "approve"))
        found.serve()
        yield found
        assert found.serving
        found.kill(found.serving)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncGenerator[Browser]:
    expect.set_options(timeout=120_000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def maya(case: ConsoleCase, chromium: Browser) -> AsyncGenerator[Person]:
    """She starts runs; she could approve, but for her own."""
    person = await Person.arrive(case, chromium, case.maya, "grace")
    yield person
    await person.context.close()
    assert (person.complaints, person.dialogs) == ([], [])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def ben(case: ConsoleCase, chromium: Browser) -> AsyncGenerator[Person]:
    """He approves, as ada."""
    person = await Person.arrive(case, chromium, case.ben, "ada")
    yield person
    await person.context.close()
    assert (person.complaints, person.dialogs) == ([], [])


async def test_a_refund_that_is_approved_in_the_browser_happens_once(
    case: ConsoleCase, maya: Person, ben: Person
) -> None:
    before = case.refunds()
    run_id = await maya.start("pay", "amount: 500", amount="500")
    await maya.until("waiting")
    await maya.page.evaluate("window.loaded = 'once'")
    await ben.go("/console/")
    card = ben.card(run_id)
    await expect(card.locator(".amount")).to_have_text("5.00 USD")
    await expect(card.get_by_text("customer name")).to_be_visible()
    assert '"amount_minor": 500' in await card.locator("pre").inner_text()
    await card.get_by_label("Reason").fill("it was charged twice")
    await card.get_by_role("button", name="Approve").click()
    await expect(ben.page.get_by_role("status").filter(has_text="Approved by ada")).to_be_visible()
    assert await serious(ben.page) == []
    await maya.until("ok", "failed")
    assert await maya.page.evaluate("window.loaded") == "once", "the page was not loaded again"
    assert await maya.page.locator("#trace dl .said").inner_text() == "succeeded"
    assert case.refunds() == [*before, REFUND]
    await ben.page.go_back()
    await expect(ben.card(run_id)).to_have_count(0)


async def test_a_refund_that_is_rejected_does_not_happen_and_whoever_decides_second_is_told_so(
    case: ConsoleCase, chromium: Browser, maya: Person, ben: Person
) -> None:
    before = case.refunds()
    run_id = await maya.start("pay", "amount: 500", amount="500")
    await maya.until("waiting")
    await ben.go("/console/")
    path = await ben.card(run_id).locator("h2 a").get_attribute("href")
    late = await Person.arrive(case, chromium, case.ben, "grace")
    await late.go(str(path))
    await ben.card(run_id).get_by_label("Reason").fill("not <b>today</b>")
    await ben.card(run_id).get_by_role("button", name="Reject").click()
    await expect(ben.page.get_by_role("status").filter(has_text="Rejected by ada")).to_be_visible()
    await late.page.get_by_role("button", name="Approve").click()
    await expect(late.page.get_by_role("alert")).to_contain_text("Your decision was not counted")
    await expect(late.page.get_by_role("alert")).to_contain_text("already rejected by ada")
    await expect(late.page.locator("article q")).to_have_text("not <b>today</b>")
    await late.context.close()
    assert await maya.until("ok", "failed") == "ok"
    assert await maya.page.locator("#trace dl .said").inner_text() == "refused"
    assert case.refunds() == before


async def test_whoever_has_asked_for_a_run_steers_it_and_does_not_decide(case: ConsoleCase, maya: Person) -> None:
    run_id = await maya.start("pay", "amount: 500", amount="500")
    await maya.until("waiting")
    await maya.go("/console/")
    card = maya.card(run_id)
    await expect(card).to_contain_text("You have asked for this run yourself")
    await expect(card.get_by_role("button")).to_have_count(0)
    path = await card.locator("h2 a").get_attribute("href")
    token = await maya.page.locator("input[name=form_token]").first.get_attribute("value")
    form: dict[str, str | float | bool] = {"form_token": str(token), "decision": "approve"}
    answer = await maya.page.request.post(f"{case.url}{path}", form=form, headers={"Origin": case.url})
    assert (answer.status, "was asked for by you" in await answer.text()) == (403, True)
    await maya.go(f"/console/runs/{run_id}")
    await maya.page.get_by_role("button", name="Pause").click()
    await maya.until("paused")
    await maya.page.get_by_role("button", name="Resume").click()
    await maya.until("waiting")
    await maya.page.get_by_text("Tell its lead something").click()
    await maya.page.get_by_label("Message").fill("Take your time.")
    await maya.page.get_by_role("button", name="Send").click()
    await maya.page.get_by_text("Cancel …").click()
    await maya.page.get_by_role("button", name="Cancel the run").click()
    await maya.until("cancelled")


async def test_an_approval_appears_by_itself_and_is_given_by_keyboard_alone(
    case: ConsoleCase, maya: Person, ben: Person
) -> None:
    before = case.refunds()
    await ben.go("/console/")
    run_id = await maya.start("pay", "amount: 500", amount="500")
    await expect(ben.card(run_id)).to_be_visible()
    keys = ben.page.keyboard
    await keys.press("Tab")
    await expect(ben.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(60):
        focused = await ben.page.evaluate(FOCUSED)
        if focused[0] == "approve" and run_id in focused[1]:
            break
        await keys.press("Tab")
    outline = await ben.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "whoever uses keys sees where they are"
    await keys.press("Enter")
    await expect(ben.page.get_by_role("status").filter(has_text="Approved by ada")).to_be_visible()
    assert await maya.until("ok", "failed") == "ok"
    assert case.refunds() == [*before, REFUND]


async def test_what_a_step_asks_is_answered_without_javascript_as_well(case: ConsoleCase, chromium: Browser) -> None:
    maya = await Person.arrive(case, chromium, case.maya, java_script_enabled=False)
    ben = await Person.arrive(case, chromium, case.ben, java_script_enabled=False)
    run_id = await maya.start("asks", "Ask.")
    await maya.until("waiting", loading=True)
    await ben.go("/console/")
    card = ben.card(run_id)
    await expect(card.locator(".question")).to_have_text("Go on?")
    await card.get_by_role("button", name="Approve").click()
    await expect(ben.page.get_by_role("status").filter(has_text="Approved by ben")).to_be_visible()
    assert await maya.until("ok", "failed", loading=True) == "ok"
    for person in (maya, ben):
        await person.context.close()


async def test_a_note_of_the_crm_stays_text_and_its_change_is_shown_field_by_field(maya: Person, ben: Person) -> None:
    run_id = await maya.start("renew", f"Renew it. {HOSTILE}")
    await maya.until("waiting")
    await ben.go("/console/")
    card: Locator = ben.card(run_id)
    (row,) = [await one.inner_text() for one in await card.locator(".diff tbody tr").all()]
    field, now, then = row.split("\t")
    assert (field, now, then) == ("next step", "Terms for the second depot in writing", HOSTILE)
    assert json.loads(await card.locator("pre").inner_text())["changes"] == {"next_step": HOSTILE}
    await card.get_by_role("button", name="Approve").click()
    await expect(ben.page.get_by_role("status").filter(has_text="Approved by ada")).to_be_visible()
    assert await maya.until("ok", "failed") == "ok"
    shown = await maya.page.locator("main").inner_text()
    assert shown.count(HOSTILE) >= 3, "in the task, in the arguments, and in what a tool has answered"
    await maya.page.locator("svg a").last.hover()  # its details are copied by the script
    for person in (maya, ben):
        for path in ("/console/", "/console/runs", f"/console/runs/{run_id}", "/console/stats", "/console/fleet"):
            await person.go(path)
            assert await person.page.evaluate("window.flagged") is None, path
            assert await person.page.locator("main script, main img").count() == 0, path


async def test_a_form_that_is_sent_twice_in_a_row_starts_one_run(case: ConsoleCase, maya: Person) -> None:
    await maya.go("/console/start/look")
    await maya.page.get_by_label("Task", exact=True).fill("sent twice")
    await maya.page.get_by_label("amount").fill("x")
    await maya.page.get_by_label("rehearsal").check()
    await maya.page.get_by_role("button", name="Start the run").click()
    await expect(maya.page.locator("#amount-wrong")).to_have_text("Has to be a whole number.")
    assert await serious(maya.page) == []
    assert maya.complaints
    maya.complaints.clear()  # of the status 422
    await maya.page.get_by_label("amount").fill("5")
    await maya.page.get_by_role("button", name="Start the run").dblclick()
    await maya.page.wait_for_url("**/console/runs/run_*")
    await maya.until("ok", "failed")
    async with httpx2.AsyncClient(base_url=case.url, trust_env=False) as api:
        listed = await api.get("/v1/runs?playbook=look&limit=100", headers={"Authorization": f"Bearer {case.maya}"})
    assert len(listed.json()["items"]) == 1


PAGES = ["/", "/tokens", "/runs", "/runs/{run}", "/start", "/start/pay", "/fleet", "/fleet/workers/keeper", "/stats"]
COLOURED = ("/", "/runs/{run}", "/start/pay", "/fleet")  # the others have no other colours
SCREENS: list[tuple[Literal["light", "dark"], ViewportSize]] = [
    ("light", {"width": 1280, "height": 900}),
    ("dark", {"width": 360, "height": 740}),
]


async def test_no_page_has_a_serious_problem_of_accessibility_or_is_wider_than_a_phone(
    case: ConsoleCase, chromium: Browser, maya: Person
) -> None:
    run_id = await maya.start("pay", "amount: 500", amount="500")
    await maya.until("waiting")
    for scheme, size in SCREENS:
        eve = await Person.arrive(case, chromium, case.eve, "ada", color_scheme=scheme, viewport=size)
        await eve.go("/console/")
        approval = await eve.card(run_id).locator("h2 a").get_attribute("href")
        for path in [*PAGES, str(approval).removeprefix("/console"), "/nowhere"]:
            await eve.go(f"/console{path.replace('{run}', run_id)}")
            if scheme == "light" or path in COLOURED:
                assert await serious(eve.page) == [], (path, size)
            assert await eve.page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
        await eve.page.get_by_role("button", name="Sign out").click()
        await eve.page.get_by_label("Your token").wait_for()
        assert await serious(eve.page) == []
        await eve.context.close()
        assert all("404" in said for said in eve.complaints), eve.complaints


async def serious(page: Page) -> list[str]:
    """What axe-core finds that keeps people from using the page."""
    await page.evaluate(AXE)
    found: list[dict[str, Any]] = await page.evaluate("axe.run({resultTypes: ['violations']}).then(r => r.violations)")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]

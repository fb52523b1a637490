"""compose.yaml for real: a disputed charge over the API, its refund made once, whatever is killed meanwhile."""

import os

import pytest
from playwright.sync_api import expect, sync_playwright
from support.compose import ComposedFleet
from support.compose_case import Case, fresh_books, refunds
from support.console_case import CHROMIUM

pytestmark = pytest.mark.containers
SERVERS = ("billing", "crm", "memory", "k8s")
# In the middle of a transaction: the table that it waits for, if somebody holds a lock of that mode.
MOMENTS = {
    "reads the ledger": ("transactions", "ACCESS EXCLUSIVE"),
    "asks for the approval": ("approvals", "EXCLUSIVE"),
    "makes the refund": ("external_effects", "EXCLUSIVE"),
}


@pytest.fixture(scope="module", autouse=True)
def ada(fleet: ComposedFleet) -> None:
    fleet.setup("approver", "ada")


def test_a_refund_is_made_once_after_a_person_agreed(fleet: ComposedFleet) -> None:
    case = Case(fleet)
    assert refunds(fleet) == 0
    case.approve()
    case.succeeds()
    assert refunds(fleet) == 1


@pytest.mark.skipif(not CHROMIUM.exists() and not os.environ.get("CI"), reason="no Chromium: install Debian's chromium")
def test_a_refund_is_made_once_after_a_person_agreed_in_the_browser(fleet: ComposedFleet) -> None:
    fresh_books(fleet)
    case = Case(fleet)
    case.approval()
    assert refunds(fleet) == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=f"http://127.0.0.1:{fleet.port}")
        page.set_default_timeout(60_000)
        page.goto("/")
        page.get_by_label("Your token").fill(fleet.token("grace", "read", "approve"))
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Sign out").wait_for()
        page.goto("/console/tokens")
        page.get_by_label("Tokens", exact=True).fill(fleet.setup("approver-token", "ada"))
        page.get_by_role("button", name="Keep in this browser").click()
        page.get_by_role("button", name="Remove the token for billing").wait_for()
        page.goto("/console/")
        card = page.locator("article.card", has_text=case.run_id)
        expect(card.locator(".amount")).to_have_text("245.00 USD")
        expect(card.get_by_text("cust_12345").first).to_be_visible()
        assert '"amount_minor": 24500' in card.locator("pre").inner_text()
        card.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("status").filter(has_text="Approved by ada")).to_be_visible()
        case.succeeds()
        page.goto(f"/console/runs/{case.run_id}")
        expect(page.locator("#head .state")).to_have_text("ok")
        browser.close()
    assert refunds(fleet) == 1


@pytest.mark.parametrize("service", ["billing", "orchestrator", "postgres"])
def test_a_run_goes_on_when_a_process_is_killed_while_it_waits(fleet: ComposedFleet, service: str) -> None:
    fresh_books(fleet)
    case = Case(fleet)
    case.approval()
    fleet.kill(service)
    fleet.ready()
    case.approve()
    case.succeeds()
    assert refunds(fleet) == 1


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("service", ["billing", "orchestrator", "postgres"])
def test_a_run_goes_on_when_a_process_is_killed_while_billing(fleet: ComposedFleet, service: str, moment: str) -> None:
    fresh_books(fleet)
    table, mode = MOMENTS[moment]
    with fleet.locked("billing", table, mode) as somebody_waits:
        case = Case(fleet)
        if moment == "makes the refund":
            case.approve()
        fleet.wait(f"billing to be where it {moment}", somebody_waits)
        fleet.kill(service)
    fleet.ready()
    if moment != "makes the refund":
        case.approve()
    case.succeeds()
    assert refunds(fleet) == 1


def test_no_server_reaches_another_or_the_internet(fleet: ComposedFleet) -> None:
    code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    for name in SERVERS:
        fleet.execute("orchestrator", "python", "-c", code, name, "8000")
        for other, port in [(each, "8000") for each in SERVERS if each != name] + [("1.1.1.1", "443")]:
            with pytest.raises(AssertionError, match=r"gaierror|Network is unreachable|timed out|TimeoutError"):
                fleet.execute(name, "python", "-c", code, other, port)


def test_each_process_reaches_its_own_database_alone(fleet: ComposedFleet) -> None:
    code = "import psycopg, sys; psycopg.connect(f'postgresql://{sys.argv[1]}@postgres/{sys.argv[2]}').close()"
    for name in (*SERVERS, "orchestrator"):
        fleet.execute(name, "python", "-c", code, name, name)
        for role, database in (
            (name, "postgres"),
            (name, "billing" if name != "billing" else "crm"),
            ("postgres", name),
        ):
            with pytest.raises(AssertionError, match=r"permission denied|no password supplied|authentication failed"):
                fleet.execute(name, "python", "-c", code, role, database)


def test_processes_hold_nothing_that_they_need_not(fleet: ComposedFleet) -> None:
    for name in (*SERVERS, "orchestrator", "k8s-sandbox"):
        found = fleet.inspect(name)
        assert found["HostConfig"]["ReadonlyRootfs"], name
        assert found["EffectiveCaps"] in (None, []), name
        assert "no-new-privileges" in found["HostConfig"]["SecurityOpt"], name
        status = fleet.execute(name, "python", "-c", "print(open('/proc/1/status').read())")
        assert "Uid:\t10001\t10001" in status
        assert "NoNewPrivs:\t1" in status


def test_servers_see_no_private_key(fleet: ComposedFleet) -> None:
    code = "import pathlib; print([str(p) for p in pathlib.Path('/').glob('*/**/*.jwk')])"
    for name in SERVERS:
        assert fleet.execute(name, "python", "-c", code) == "[]"


def test_the_key_of_mandates_rotates_under_a_run(fleet: ComposedFleet) -> None:
    fresh_books(fleet)
    case = Case(fleet)
    case.approval()
    old = fleet.execute("orchestrator", "flotilla", "keys").split()[0]
    fleet.setup("rotate")
    case.approve()
    case.succeeds()
    fleet.setup("retire", old)
    fresh_books(fleet)
    after = Case(fleet)
    after.approve()
    after.succeeds()
    assert refunds(fleet) == 1


def test_foreign_tokens_are_refused(fleet: ComposedFleet) -> None:
    with fleet.api("flt_nobody") as client:
        assert client.get("/v1/runs").status_code == 401
        assert client.get("/healthz").status_code == 200

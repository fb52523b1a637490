"""A service with the console as a process, with two servers whose calls people decide about, for browsers."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import yaml
from fastmcp import Client
from flotilla_crm.server import create_server
from flotilla_crm.settings import Settings
from flotilla_kit.identity.approvers import mint, read_key
from playwright.async_api import Browser, BrowserContext, Locator, Page

from . import programs
from .service import Served, bearer
from .stage import OUTPUT
from .teller import refunds_in

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = '<script>window.flagged = 1</script><img src=x onerror="window.flagged = 1; alert(1)">'
ACCOUNT, DEAL = "cust_20417", "deal_okafor_renewal"
_NOTES, _UPDATE = "mcp__crm__list_account_activities", "mcp__crm__update_deal"


class ConsoleCase(Served):
    """Runs that refund (`pay`), that ask (`asks`), and that change a deal as a note in the CRM says (`renew`).

    maya, ben, eve: their tokens of the service.
    """

    maya = ben = eve = ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        note = "{{ results.read.items[0].body }}"
        change = {"deal_id": DEAL, "version": 4, "changes": {"next_step": note}, "reason": "as the note says"}
        turns: list[dict[str, Any]] = [
            {"call": _NOTES, "id": "read", "arguments": {"account_id": ACCOUNT, "kinds": ["note"], "limit": 1}},
            {"call": _UPDATE, "id": "deal", "arguments": change},
            {"result": {"answer": note}},
        ]
        playbook = {"name": "renew", "description": "Changes a deal.", "lead": "keeper", "output": OUTPUT}
        self._write("playbooks/renew.yaml", yaml.safe_dump(playbook))
        self._write(
            "rehearsals/renew.yaml", yaml.safe_dump({"name": "renew", "agents": {"keeper": [{"turns": turns}]}})
        )
        self._worker("keeper", tools=[_NOTES, _UPDATE])

    def _fleet(self, flags: tuple[str, ...]) -> dict[str, Any]:
        fleet = super()._fleet(flags)
        fleet["servers"]["crm"] = {"command": [*programs.command("flotilla-crm"), "--demo-data"]}
        return fleet

    async def write_note(self) -> None:
        """As whoever writes to the CRM could."""
        settings = Settings.load({"home": self.home, "demo_data": True, "log_activity_approval": "never"})
        note = {"account_id": ACCOUNT, "kind": "note", "body": HOSTILE, "occurred_at": "2026-03-30T10:00:00Z"}
        async with Client(create_server(settings)) as client:
            await client.call_tool("log_activity", {**note, "idempotency_key": "hostile"})

    def add_approvers(self, *names: str) -> None:
        """Each may approve on both servers."""
        for server in ("billing", "crm"):
            for name in names:
                added = programs.run(
                    f"flotilla-{server}", "approvers", "add", name, environ=self.environment, folder=self.home
                )
                assert added.returncode == 0, added.stderr

    def approver_token(self, server: str, name: str) -> str:
        key = read_key(self.home / "approvers" / f"{server}-{name}.jwk")
        return mint(key, issuer=f"flotilla-{server}-approvers", audience=server, minutes=50)

    def refunds(self) -> list[tuple[str, int]]:
        """Charge and amount of each; none before billing has been started."""
        books = self.home / "billing.db"
        try:
            return refunds_in(books)
        except sqlite3.OperationalError:
            return []


class Person:
    """Somebody with a browser of their own, at this service."""

    def __init__(self, case: ConsoleCase, context: BrowserContext, page: Page) -> None:
        self.case, self.context, self.page = case, context, page
        self.dialogs: list[str] = []
        self.complaints: list[str] = []
        """What the browser's console has said about errors and refused content."""
        page.on("dialog", lambda dialog: self.dialogs.append(dialog.message))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @classmethod
    async def arrive(
        cls, case: ConsoleCase, browser: Browser, token: str, approver: str = "", **options: Any
    ) -> "Person":
        """Signed in with a token of the service, and, if named, with the tokens of an approver."""
        context = await browser.new_context(base_url=case.url, **options)
        context.set_default_timeout(120_000)
        found = cls(case, context, await context.new_page())
        await found.go("/console/")
        await found.page.get_by_label("Your token").fill(token)
        await found.page.get_by_role("button", name="Sign in").click()
        await found.page.get_by_role("button", name="Sign out").wait_for()
        if approver:
            await found.go("/console/tokens")
            tokens = [case.approver_token(server, approver) for server in ("billing", "crm")]
            await found.page.get_by_label("Tokens", exact=True).fill("\n".join(tokens))
            await found.page.get_by_role("button", name="Keep in this browser").click()
            await found.page.get_by_role("button", name="Remove the token for billing").wait_for()
        return found

    async def go(self, path: str) -> None:
        await self.page.goto(path)

    async def start(self, playbook: str, task: str, **inputs: str) -> str:
        """Start a run by the form; its id."""
        await self.go(f"/console/start/{playbook}")
        await self.page.get_by_label("Task", exact=True).fill(task)
        for name, value in inputs.items():
            await self.page.get_by_label(name, exact=True).fill(value)
        await self.page.get_by_label("rehearsal").check()
        await self.page.get_by_role("button", name="Start the run").click()
        await self.page.wait_for_url("**/console/runs/run_*")
        return self.page.url.rpartition("/")[2]

    async def state(self) -> str:
        return await self.page.locator("#head .state").inner_text()

    async def until(self, *states: str, loading: bool = False, timeout_s: float = 240) -> str:
        """The state that the page of a run shows, once it is one of these; loaded again and again, or by itself."""
        ends = time.monotonic() + timeout_s
        while (found := await self.state()) not in states:
            assert time.monotonic() < ends, f"{found}: {await self.page.locator('main').inner_text()}"
            await asyncio.sleep(0.2)
            if loading:
                await self.page.reload()
        return found

    def card(self, run_id: str) -> Locator:
        """The card of what a run waits for, in the inbox."""
        return self.page.locator("article.card", has_text=run_id)


def api_token(headers: dict[str, str]) -> str:
    assert headers == bearer(headers["Authorization"].removeprefix("Bearer "))
    return headers["Authorization"].removeprefix("Bearer ")

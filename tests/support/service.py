"""The API, called in this process over a home that no worker works on, and as a process of its own that does."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from flotilla_kit.http.limits import HttpLimits, LimitedApp
from flotilla_kit.identity.approvers import mint, read_key
from flotilla_orchestrator.config.files import load
from flotilla_orchestrator.console.app import console_app, with_console
from flotilla_orchestrator.journal.journal import Journal
from flotilla_orchestrator.runs.run_queue import run_queue
from flotilla_orchestrator.service.app import service_app
from flotilla_orchestrator.service.authentication import Authentication, BearerTokens
from flotilla_orchestrator.service.problems import describe_refusal
from flotilla_orchestrator.service.resources import ServiceResources
from flotilla_orchestrator.service.tokens import Tokens

from . import homes
from .config_folder import Folder
from .programs import Program
from .queued import Queued
from .runs import LOOK
from .stage import answer

PROBLEM = "application/problem+json"
RUN = {"playbook": "case", "task": "Do it.", "model": "rehearsal"}


@dataclass
class Desk:
    """The API in this process."""

    client: httpx2.AsyncClient
    resources: ServiceResources
    tokens: Tokens

    def token(self, name: str, *scopes: str, expires_days: float | None = None) -> dict[str, str]:
        """The headers of whoever has a new token."""
        return bearer(self.tokens.add(name, scopes, expires_days)[1])

    async def start(self, token: Mapping[str, str], **body: Any) -> dict[str, Any]:
        """A run that is now in the queue."""
        found = await self.client.post("/v1/runs", json={**RUN, **body}, headers=token)
        assert found.status_code == 202, found.text
        return found.json()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def desk(
    folder: Path,
    *,
    backlog: int = 100,
    calls_per_s: float = 1000,
    authentication: Authentication | None = None,
    configs: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncGenerator[Desk]:
    """The API over a home of its own, on which nothing is at work."""
    home = folder / "home"
    home.mkdir()
    homes.prepare(home)
    config = load(configs) if configs else Folder(folder / "configs").load()
    async with await Journal.open(home) as journal, run_queue(home, journal, backlog) as queue:
        tokens = Tokens(home)
        resources = ServiceResources(config, home, journal, queue, environ or {})
        taken = authentication or BearerTokens(tokens)
        console = console_app(resources, taken, calls_per_s)
        app = with_console(service_app(resources, taken, calls_per_s), console)
        limited = LimitedApp(app, HttpLimits(), describe=describe_refusal)
        transport = httpx2.ASGITransport(limited)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield Desk(client, resources, tokens)


class Served(Queued):
    """Runs of a home that a process of `flotilla serve` works on."""

    url = ""
    serving: Program | None = None

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, environment)
        turns = [LOOK, answer("looked"), answer("{{ heard | regex('And .*') }}")]  # the last one is a follow-up's
        script = {"name": "look", "agents": {"single": [{"turns": turns}]}}
        self._write("rehearsals/look.yaml", yaml.safe_dump(script))
        steps: list[dict[str, Any]] = [
            {"id": "sign-off", "approve": "Go on?"},
            {"id": "tell", "worker": "single", "task": "Tell."},
        ]
        steps[1]["needs"] = ["sign-off"]
        self._write("playbooks/asks.yaml", yaml.safe_dump({"name": "asks", "description": "Asks.", "steps": steps}))
        script = {"name": "asks", "agents": {"single": [{"turns": [{"say": "told"}]}]}}
        self._write("rehearsals/asks.yaml", yaml.safe_dump(script))

    def approver(self, name: str = "ada") -> dict[str, str]:
        """The header of somebody who may approve on the billing server."""
        key = read_key(self.home / "approvers" / f"billing-{name}.jwk")
        return {"Flotilla-Approver-Token": mint(key, issuer="flotilla-billing-approvers", audience="billing")}

    def serve(self, *words: str, name: str = "local") -> Program:
        """The service, once it takes calls."""
        self.serving, self.url = self.replica(*words, name=name)
        return self.serving

    def replica(self, *words: str, name: str, site: str = "", nth: int = 0) -> tuple[Program, str]:
        """One process of the service by that name, once it takes calls, and its address; see `start` for the others."""
        self.environment["FLOTILLA_EXECUTOR_ID"] = name
        log = self.home / f"serve-{name}.log"
        with log.open("a") as errors:
            command = ["serve", "--http", "127.0.0.1:0", *self.where, *words, "--json"]
            process = self.start(*command, site=site, nth=nth, stderr=errors)
        assert process.stdout
        said = process.stdout.readline()
        assert said.startswith("{"), f"{said}{log.read_text()}"
        return process, yaml.safe_load(said)["url"]

    def stop(self) -> int:
        """Its exit code, once it has ended as it is asked to."""
        assert self.serving
        process, self.serving = self.serving, None
        process.terminate()
        code = process.wait(120)
        process.close()
        return code

    def token(self, name: str, *scopes: str) -> dict[str, str]:
        return bearer(Tokens(self.home).add(name, scopes)[1])

    def client(self, token: Mapping[str, str], url: str = "") -> httpx2.Client:
        return httpx2.Client(base_url=url or self.url, headers=dict(token), timeout=60, trust_env=False)


def until(client: httpx2.Client, run_id: str, *states: str) -> dict[str, Any]:
    """The listed run, once it is in one of these states."""

    async def look() -> dict[str, Any]:
        async with asyncio.timeout(240):
            while True:
                (found,) = [run for run in client.get("/v1/runs").json()["items"] if run["run_id"] == run_id]
                if found["state"] in states:
                    return found
                await asyncio.sleep(0.2)

    return asyncio.run(look())

"""Small cases for the orchestrator's tests: a config folder each, the real SDK and CLI, a scripted model."""

import shutil
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from flotilla_orchestrator import provider
from flotilla_orchestrator.config.files import load
from flotilla_orchestrator.fleet.server_pool import running_fleet
from flotilla_orchestrator.journal.allowances import LedgerEntry
from flotilla_orchestrator.journal.journal import Journal, Run, Span
from flotilla_orchestrator.journal.ledger import Ledger
from flotilla_orchestrator.run_request import RunRequest, new_run_id
from flotilla_orchestrator.runs.launch import run_playbook
from flotilla_orchestrator.sessions.agent import RunResources
from flotilla_orchestrator.sessions.decisions import DecisionRequest, Notify
from flotilla_rehearsal.script import load as load_script
from flotilla_rehearsal.server import RecordedRequest, Rehearsal

from support import homes, programs
from support.processes import clean_environment

DESK = [sys.executable, str(Path(__file__).parent / "desk_server.py")]
OUTPUT = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}


@dataclass(frozen=True)
class Elsewhere:
    """A server that runs elsewhere, and the key ring whose mandates it takes."""

    url: str
    keys: Path


@dataclass(frozen=True)
class Played:
    """A run that has ended, its spans, and what the model was shown."""

    run: Run
    spans: list[Span]
    requests: list[RecordedRequest]
    ledger: Mapping[str, LedgerEntry] = field(default_factory=dict[str, LedgerEntry])
    """By the session's span."""

    @property
    def error(self) -> Mapping[str, Any]:
        assert self.run.error is not None, f"the run ended {self.run.status}"
        return self.run.error

    def span(self, name: str) -> Span:
        """The only span of that name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found


class Stage:
    """A config folder with one server, `desk`, one playbook, `case`, and the workers a test adds."""

    def __init__(self, folder: Path, desk: Elsewhere) -> None:
        self.folder = folder
        self.home = folder / "home"
        shutil.copytree(desk.keys, self.home / "keys")
        self.configs = folder / "configs"
        self.fleet: dict[str, Any] = {
            "servers": {"desk": {"url": desk.url}},
            "limits": {"retries": 0, "session": {"wall_clock_s": 120}},
        }
        self.playbook: dict[str, Any] = {"name": "case", "description": "A case.", "lead": "lead", "output": OUTPUT}

    def worker(self, name: str, *tools: str, prompt: str = "Do it.", **front: Any) -> None:
        """Write a worker; `tools` are names of the desk's tools."""
        granted = [f"mcp__desk__{tool}" for tool in tools]
        keys = yaml.safe_dump({"name": name, "description": f"The {name}.", "tools": granted, **front})
        self.write(f"workers/{name}.md", f"---\n{keys}---\n{prompt}\n")

    def write(self, path: str, text: str) -> Path:
        file = self.configs / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def everything_written(self) -> str:
        """The text of every file that runs have left behind."""
        return "".join(file.read_text(errors="replace") for file in self.home.rglob("*") if file.is_file())

    def write_all(self, agents: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Write the fleet, the playbook, and as its rehearsal the turns of each agent."""
        self.write("fleet.yaml", yaml.safe_dump(self.fleet))
        self.write("playbooks/case.yaml", yaml.safe_dump(self.playbook))
        scripts = {name: [{"turns": list(turns)}] for name, turns in agents.items()}
        self.write("rehearsals/case.yaml", yaml.safe_dump({"name": "case", "agents": scripts}))

    async def play(
        self,
        agents: Mapping[str, Sequence[Mapping[str, Any]]],
        *,
        task: str = "Look at it.",
        inputs: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        live: str | None = None,
        ask: Notify | None = None,
    ) -> Played:
        """Run the playbook to its end with agents that answer with these turns.

        Args:
            live: an agent; the run is a live one whose key and base address lead to its script.
            ask: brings calls that wait for an approval before somebody; without it none may wait.
        """
        self.write_all(agents)
        homes.prepare(self.home)
        environ = clean_environment(self.home, environment)
        async with (
            Rehearsal(load_script(self.configs / "rehearsals" / "case.yaml")) as rehearsal,
            await Journal.open(self.home) as journal,
        ):
            if live:
                address = {"ANTHROPIC_API_KEY": "sk-none", "ANTHROPIC_BASE_URL": rehearsal.url(live)}
                model = provider.live({**environ, **address})
            else:
                model = provider.rehearsal(environ, rehearsal.url)
            config, keys = load(self.configs), self.home / "keys"

            @asynccontextmanager
            async def opening(order: RunRequest) -> AsyncGenerator[RunResources]:
                folder = self.home / "runs" / order.run_id
                names = config.servers(config.playbooks["case"])
                async with running_fleet(
                    config, names, run_id=order.run_id, logs=folder, keys=keys, environ=environ
                ) as fleet:
                    yield RunResources(config, fleet, model, journal, folder, ask or _unasked)

            order = RunRequest(new_run_id(), "case", model.model, task, dict(inputs or {}))
            run = await run_playbook(config, order, home=self.home, journal=journal, opening=opening)
            entries = await Ledger(journal.database).entries(run.run_id)
            ledger = {entry.span_id: entry for entry in entries}
            return Played(run, await journal.spans(run.run_id), list(rehearsal.requests), ledger)


async def _unasked(pending: DecisionRequest) -> None:
    raise AssertionError(f"{pending.approval.tool} waits for an approval")


def own_desk(*flags: str | Path) -> dict[str, Any]:
    """A desk in a fleet that is the run's own. Tests of how its process starts and ends take the command `DESK`."""
    return {"command": [*programs.command("support.desk_server"), *map(str, flags)]}


def call(tool: str, id: str | None = None, /, **arguments: Any) -> dict[str, Any]:
    """A turn that calls one of the desk's tools."""
    return {"call": f"mcp__desk__{tool}", "arguments": arguments, **({"id": id} if id else {})}


def delegate(*tasks: tuple[str, str], id: str = "delegate") -> dict[str, Any]:
    """A turn that delegates (worker, task) pairs."""
    listed = [{"worker": worker, "task": task} for worker, task in tasks]
    return {"call": "mcp__gate__delegate", "id": id, "arguments": {"tasks": listed}}


def answer(text: str) -> dict[str, Any]:
    """A turn that gives the structured result of `OUTPUT`."""
    return {"result": {"answer": text}}

"""A run's time outside the model, processor time and CLI starts: the sample case, rehearsed through the real SDK and
CLI.
"""

import asyncio
import os
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from flotilla_orchestrator import provider
from flotilla_orchestrator.cli.approver_process import demo_approver
from flotilla_orchestrator.config.files import load
from flotilla_orchestrator.fleet.server_pool import running_fleet
from flotilla_orchestrator.journal.journal import Journal
from flotilla_orchestrator.run_request import RunRequest, new_run_id
from flotilla_orchestrator.runs.launch import run_playbook
from flotilla_orchestrator.sessions.agent import RunResources
from flotilla_rehearsal.script import load as load_script
from flotilla_rehearsal.server import Rehearsal

CONFIGS = Path(__file__).parent.parent / "configs"
PLAYBOOK = "billing-dispute"
ROUNDS = 3


@dataclass(frozen=True)
class Played:
    """One run, in seconds; `starting` is what passed before the first session: the servers' start."""

    wall: float
    starting: float
    model: float
    sessions: int
    starts: int
    """Of the CLI."""
    processor: float
    """Of this process and all below it: servers, sessions, approver."""


async def rehearse(home: Path) -> Played:
    """Play the sample case."""
    before = processor_s()
    played = await _rehearse(home)
    return replace(played, processor=processor_s() - before)


def processor_s() -> float:
    """So far, of this process and of those below it that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def cli_starts(home: Path, run_id: str) -> int:
    with closing(sqlite3.connect(home / "engine.db")) as store:
        parts = "SELECT count(*) FROM workflow_status WHERE name = 'session' AND workflow_uuid LIKE ?"
        return store.execute(parts, (f"{run_id}%",)).fetchone()[0]


async def _rehearse(home: Path) -> Played:
    config = load(CONFIGS)
    example = config.playbooks[PLAYBOOK].example
    assert example is not None
    order = RunRequest(new_run_id(), PLAYBOOK, "rehearsal", example.task, dict(example.inputs))
    folder = home / order.run_id
    approvers = folder / "approver-keys.json"
    async with (
        Rehearsal(load_script(CONFIGS / "rehearsals" / f"{PLAYBOOK}.yaml")) as model,
        demo_approver(approvers, os.environ) as ask,
    ):
        async with await Journal.open(home) as journal:
            flags = ["--home", str(folder / "data"), "--demo-data", "--approver-keys", str(approvers)]
            names, keys = config.servers(config.playbooks[PLAYBOOK]), home / "keys"

            @asynccontextmanager
            async def opening(_: RunRequest) -> AsyncGenerator[RunResources]:
                async with running_fleet(
                    config, names, run_id=order.run_id, logs=folder, keys=keys, flags=flags
                ) as fleet:
                    yield RunResources(config, fleet, provider.rehearsal(os.environ, model.url), journal, folder, ask)

            started = time.perf_counter()
            run = await run_playbook(config, order, home=home, journal=journal, opening=opening)
            wall = time.perf_counter() - started
            spans = await journal.spans(run.run_id)
        assert run.status == "ok", run.error
        begun = [datetime.fromisoformat(span.started_at) for span in spans]
        sessions = [at for at, span in zip(begun, spans, strict=True) if span.kind == "session"]
        starting = (min(sessions) - min(begun)).total_seconds()
        return Played(wall, starting, sum(model.model_seconds.values()), len(sessions), cli_starts(home, run.run_id), 0)


async def overhead() -> None:
    with tempfile.TemporaryDirectory() as home:
        measured = [await rehearse(Path(home)) for _ in range(ROUNDS)]
    wall = statistics.median(run.wall for run in measured)
    starting = statistics.median(run.starting for run in measured)
    outside = statistics.median((run.wall - run.starting - run.model) / run.sessions for run in measured)
    print(
        f"{PLAYBOOK}: {wall:.1f} s for {measured[0].sessions} sessions, of it {starting:.1f} s for the servers' start;"
    )
    print(f"outside the model {outside:.2f} s a session (target: under 1)")
    processor = statistics.median(run.processor for run in measured)
    print(f"{measured[0].starts} starts of the CLI, {processor:.1f} s of processor time (targets: 6, and under 9)")


def main() -> None:
    asyncio.run(overhead())

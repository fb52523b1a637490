"""A run's time outside the model: the sample case, rehearsed through the real SDK and CLI."""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from flotilla_orchestrator import provider
from flotilla_orchestrator.config_files import load
from flotilla_orchestrator.journal import Journal, Run
from flotilla_orchestrator.rehearsal.script import load as load_script
from flotilla_orchestrator.rehearsal.server import Rehearsal
from flotilla_orchestrator.run import new_run_id, run_playbook

CONFIGS = Path(__file__).parent.parent / "configs"
PLAYBOOK = "billing-dispute"
ROUNDS = 3


async def rehearse(home: Path) -> tuple[float, float, int]:
    """Play the sample case; returns wall seconds, model seconds and the number of sessions."""
    config = load(CONFIGS)
    example = config.playbooks[PLAYBOOK].example
    assert example is not None
    async with Rehearsal(load_script(CONFIGS / "rehearsals" / f"{PLAYBOOK}.yaml")) as model:
        run = Run(new_run_id(), PLAYBOOK, "rehearsal", example.task, example.inputs)
        folder = home / run.run_id
        async with await Journal.open(home, []) as journal:
            started = time.perf_counter()
            await run_playbook(
                config,
                run,
                provider=provider.rehearsal(os.environ, model.url),
                journal=journal,
                folder=folder,
                flags=["--home", str(folder / "data"), "--demo-data"],
            )
            wall = time.perf_counter() - started
            sessions = sum(span.kind == "session" for span in await journal.spans(run.run_id))
        assert run.status == "ok", run.error
        return wall, sum(model.model_seconds.values()), sessions


async def overhead() -> None:
    with tempfile.TemporaryDirectory() as home:
        measured = [await rehearse(Path(home)) for _ in range(ROUNDS)]
    wall = statistics.median(wall for wall, _, _ in measured)
    outside = statistics.median((wall - model) / sessions for wall, model, sessions in measured)
    print(f"{PLAYBOOK}: {wall:.1f} s with {measured[0][2]} sessions, servers' start included;")
    print(f"outside the model {outside:.2f} s a session")


def main() -> None:
    asyncio.run(overhead())

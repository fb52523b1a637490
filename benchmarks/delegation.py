"""One lead with three parallel workers: a run of ours beside the same case on the SDK's own subagents, in one go.

Both are the real SDK and CLI with a scripted model that takes `THINKING_S` until each answer begins and `WRITING_S`
until it is whole, and a billing server; what is compared is the time outside the model, from the lead's start to its
result.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from claude_agent_sdk import AgentDefinition, ClaudeAgentOptions, ResultMessage, query
from flotilla_orchestrator import provider
from flotilla_orchestrator.config.files import load
from flotilla_orchestrator.fleet.server_pool import running_fleet
from flotilla_orchestrator.journal.journal import Journal, Span
from flotilla_orchestrator.run_request import RunRequest, new_run_id
from flotilla_orchestrator.runs.launch import run_playbook
from flotilla_orchestrator.sessions.agent import RunResources
from flotilla_orchestrator.sessions.decisions import DecisionRequest
from flotilla_rehearsal.script import Scripts
from flotilla_rehearsal.server import Rehearsal

ROUNDS = 3
WORKERS = 3
THINKING_S, WRITING_S = 0.4, 0.6  # of each answer: until it begins, and until it is whole
_TIMES = {"delay_s": THINKING_S, "stream_s": WRITING_S}
_TOOL = "mcp__billing__get_transaction"
_LOOK = {"call": _TOOL, "arguments": {"transaction_id": "ch_maya_feb_1"}, **_TIMES}
_SAY = {"say": "looked", **_TIMES}
_MODEL_S = 4 * (THINKING_S + WRITING_S)  # on the critical path: the lead asks, a worker looks and says, the lead ends


@dataclass(frozen=True)
class Taken:
    """Seconds outside the model; `overlap` is the workers' time together over the longest of them."""

    outside: float
    overlap: float = 0


async def ours(home: Path) -> Taken:
    configs = home / "configs"
    tasks = [{"worker": "helper", "task": f"look {number}"} for number in range(WORKERS)]
    delegate = {"call": "mcp__gate__delegate", "arguments": {"tasks": tasks}, **_TIMES}
    result = {"result": {"answer": "done"}, **_TIMES}
    scripts = _scripts({"lead": [delegate, result], "helper": [_LOOK, _SAY]})
    output = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}
    _write(configs / "fleet.yaml", {"servers": {"billing": {"command": ["flotilla-billing", "--demo-data"]}}})
    # So wide that workers may start early; the shipped playbooks' are narrower.
    limits = {"max_turns": 200, "budget_usd": 5}
    playbook = {"name": "case", "description": "A case.", "lead": "lead", "output": output, "limits": limits}
    _write(configs / "playbooks/case.yaml", playbook)
    _worker(configs, "lead", delegates=["helper"])
    _worker(configs, "helper", tools=[_TOOL])
    config = load(configs)
    order = RunRequest(new_run_id(), "case", "rehearsal", "Look at it.", {})
    async with Rehearsal(scripts) as model, await Journal.open(home) as journal:

        @asynccontextmanager
        async def opening(_: RunRequest) -> AsyncGenerator[RunResources]:
            environ, folder = {**os.environ, "FLOTILLA_HOME": str(home)}, home / "run"
            found = running_fleet(
                config, ["billing"], run_id=order.run_id, logs=folder, keys=home / "keys", environ=environ
            )
            async with found as fleet:
                yield RunResources(config, fleet, provider.rehearsal(environ, model.url), journal, folder, _nobody)

        run = await run_playbook(config, order, home=home, journal=journal, opening=opening)
        assert run.status == "ok", run.error
        spans = await journal.spans(run.run_id)
    (lead,) = [span for span in spans if span.name == "lead"]
    workers = [span for span in spans if span.name == "helper"]
    together = max(map(_ended, workers)) - min(map(_began, workers))
    return Taken(lead.seconds - _MODEL_S, together / max(span.seconds for span in workers))


async def native(home: Path) -> Taken:
    calls = [
        {
            "call": "Agent",
            "id": f"look_{number}",
            "arguments": {
                "description": f"look {number}",
                "prompt": f"look {number}",
                "subagent_type": "helper",
                "run_in_background": False,
            },
        }
        for number in range(WORKERS)
    ]
    lead = [{"calls": calls, **_TIMES}, {"say": "done", **_TIMES}]
    agents = {"one": [{"when": "^look", "turns": [_LOOK, _SAY]}, {"turns": lead}]}
    scripts = Scripts.model_validate({"name": "native", "agents": agents})
    config = load(home / "configs")
    environ = {**os.environ, "FLOTILLA_HOME": str(home)}
    server = running_fleet(
        config, ["billing"], run_id="native", logs=home / "native", keys=home / "keys", environ=environ
    )
    async with Rehearsal(scripts) as model, server as fleet:
        billing = fleet.servers["billing"]
        token = billing.mandate("helper", [{"type": "mcp_tool", "tool": "get_transaction"}], lifetime_s=600)
        (home / "native/claude").mkdir(parents=True, exist_ok=True)
        options = ClaudeAgentOptions(
            agents={"helper": AgentDefinition(description="Looks.", prompt="Look.", tools=[_TOOL])},
            tools=["Agent"],
            allowed_tools=["Agent", _TOOL],
            permission_mode="dontAsk",
            setting_sources=[],
            mcp_servers={
                "billing": {"type": "http", "url": billing.url, "headers": {"Authorization": f"Bearer {token}"}}
            },
            strict_mcp_config=True,
            env={
                **provider.rehearsal(environ, model.url).environment("one"),
                "CLAUDE_CONFIG_DIR": str(home / "native/claude"),
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "DISABLE_AUTOUPDATER": "1",
            },
        )
        started = time.perf_counter()
        taken = 0.0
        async for message in query(prompt="Have them look.", options=options):
            if isinstance(message, ResultMessage):
                assert message.result == "done", message
                taken = time.perf_counter() - started
        answered = len(model.requests)
    assert answered == 2 + 2 * WORKERS, f"{answered} requests"
    return Taken(taken - _MODEL_S)


def main() -> None:
    asyncio.run(_main())


async def _main() -> None:
    rounds: list[tuple[Taken, Taken]] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as home:
            rounds.append((await ours(Path(home)), await native(Path(home))))
    ratio = statistics.median(mine.outside / theirs.outside for mine, theirs in rounds)
    mine, theirs = (statistics.median(taken.outside for taken in column) for column in zip(*rounds, strict=True))
    print(f"one lead, {WORKERS} workers, outside the model: {mine:.2f} s; on the SDK's subagents {theirs:.2f} s")
    print(f"ratio {ratio:.2f} (target: at most 1.5)")
    overlap = statistics.median(one.overlap for one, _ in rounds)
    print(f"workers together {overlap:.2f} of the longest (target: under 1.4)")


def _scripts(agents: dict[str, list[dict[str, Any]]]) -> Scripts:
    found = {name: [{"turns": turns}] for name, turns in agents.items()}
    return Scripts.model_validate({"name": "case", "agents": found})


def _worker(configs: Path, name: str, **front: Any) -> None:
    keys = yaml.safe_dump({"name": name, "description": f"The {name}.", **front})
    file = configs / "workers" / f"{name}.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"---\n{keys}---\nDo it.\n")


def _write(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))


def _began(span: Span) -> float:
    return datetime.fromisoformat(span.started_at).timestamp()


def _ended(span: Span) -> float:
    return _began(span) + span.seconds


async def _nobody(_: DecisionRequest) -> None:
    raise AssertionError("nothing waits")


if __name__ == "__main__":
    main()

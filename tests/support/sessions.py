"""Real sessions of the orchestrator, with the real CLI, against a rehearsal."""

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claude_agent_sdk import InMemorySessionStore
from flotilla_orchestrator import provider
from flotilla_orchestrator.fleet.approvals import Approval
from flotilla_orchestrator.mandates.guardrails import Trigger
from flotilla_orchestrator.sessions.deadline import Deadline
from flotilla_orchestrator.sessions.types import CallStatus, Session
from flotilla_rehearsal.script import Scripts
from flotilla_rehearsal.server import Rehearsal

from .desk import GRANTED, HIDDEN, Desk


def scripted(*turns: Mapping[str, object], agent: str = "worker") -> Rehearsal:
    """A model that answers `agent` with these turns."""
    return Rehearsal(Scripts.model_validate({"name": "test", "agents": {agent: [{"turns": turns}]}}))


def session(
    rehearsal: Rehearsal, folder: Path, desk: Desk | None = None, *, wall_clock_s: float = 20, **changes: Any
) -> Session:
    """A worker that may use one of the desk's tools; `changes` are fields of Session."""
    fields: dict[str, Any] = {
        "session_id": str(uuid.uuid4()),
        "agent": "worker",
        "system_prompt": "You are a worker.",
        "prompt": "Look at cust_12345.",
        "model": "haiku",
        "fallback_model": None,
        "grants": {GRANTED} if desk else set[str](),
        "hidden": [HIDDEN],
        "approvals": {},
        "servers": {"desk": desk.config()} if desk else {},
        "gate_tools": [],
        "delegation": None,
        "output_schema": None,
        "max_turns": 8,
        "budget_usd": 1.0,
        "deadline": Deadline(wall_clock_s),
        "model_call_s": 10.0,
        "retries": 0,
        "environment": provider.rehearsal(os.environ, rehearsal.url).environment("worker"),
        "folder": folder,
        "store": InMemorySessionStore(),
    }
    return Session(**{**fields, **changes})


@dataclass
class Heard:
    """An observer that remembers."""

    started: list[str] = field(default_factory=list[str])
    ended: list[tuple[str, CallStatus]] = field(default_factory=list[tuple[str, CallStatus]])
    errors: list[str | None] = field(default_factory=list[str | None])
    waited: list[str] = field(default_factory=list[str])
    guarded: list[Trigger] = field(default_factory=list[Trigger])
    _names: dict[str, str] = field(default_factory=dict[str, str])

    def announce(self, call_id: str, tool: str) -> None:
        """A call that was heard of before the session stopped in front of it."""
        self._names[call_id] = tool

    async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
        self._names[call_id] = tool
        self.started.append(tool)

    async def call_guarded(self, call_id: str, triggered: Sequence[Trigger]) -> None:
        self.guarded += triggered

    async def call_waiting(self, call_id: str, approval: Approval) -> None:
        self.waited.append(self._names[call_id])

    async def call_ended(self, call_id: str, status: CallStatus, error: str | None = None) -> None:
        self.ended.append((self._names[call_id], status))
        self.errors.append(error)


def claude_processes(parent: int) -> list[int]:
    """The Claude CLI processes that `parent` has started and that still run (Linux)."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        if int(status[1]) == parent and status[0] != "Z" and b"stream-json" in command:
            found.append(int(folder.name))
    return found

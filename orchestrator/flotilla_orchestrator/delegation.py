"""The one tool of a lead: `delegate`, which gives tasks to workers and returns their reports."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from claude_agent_sdk import SdkMcpTool, ToolAnnotations
from pydantic import JsonValue

from .config import GATE, Worker
from .errors import Failure
from .names import did_you_mean
from .session_types import SessionResult

logger = logging.getLogger(__name__)

DELEGATE = f"mcp__{GATE}__delegate"
MAX_TASKS = 8  # in one call: more reports than that crowd out the lead's own context
MAX_TASK_CHARS = 50_000
MAX_REPORT_CHARS = 20_000

_TASK = {
    "type": "object",
    "required": ["worker", "task"],
    "additionalProperties": False,
    "properties": {"worker": {"type": "string"}, "task": {"type": "string"}},
}
_SCHEMA = {
    "type": "object",
    "required": ["tasks"],
    "additionalProperties": False,
    "properties": {"tasks": {"type": "array", "items": _TASK}},
}


@dataclass(frozen=True)
class Task:
    worker: str
    task: str


class Delegation:
    """The `delegate` tool of one lead's session.

    Args:
        team: the workers it may delegate to, by name.
        work: runs one task to its end; a failure is in the result, not raised. It is told how many tasks, itself
            included, have yet to take their share of what the run has left.
    """

    def __init__(
        self, lead: str, team: Mapping[str, Worker], work: Callable[[Task, int], Awaitable[SessionResult]]
    ) -> None:
        self._lead, self._team, self._work = lead, team, work
        self._jobs: set[asyncio.Task[dict[str, JsonValue]]] = set()

    def tool(self) -> SdkMcpTool[Any]:
        described = "\n".join(f"- {worker.name}: {worker.description}" for worker in self._team.values())
        return SdkMcpTool(
            "delegate",
            "Give tasks to workers and get their reports. Tasks of one call run in parallel, "
            f"at most {MAX_TASKS}; what depends on a report goes into a later call. "
            f"A worker sees only its task text.\n{described}",
            _SCHEMA,
            self._handle,
            ToolAnnotations(maxResultSizeChars=2 * MAX_TASKS * MAX_REPORT_CHARS),
        )

    async def close(self) -> None:
        """Wait until workers whose lead was cut off have ended their processes."""
        await asyncio.gather(*self._jobs, return_exceptions=True)

    async def _handle(self, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            tasks = self._checked([Task(**task) for task in arguments["tasks"]])
        except Failure as failure:
            return {"content": [{"type": "text", "text": json.dumps(failure.as_dict())}], "is_error": True}
        jobs = [asyncio.create_task(self._report(task, len(tasks) - done)) for done, task in enumerate(tasks)]
        self._jobs.update(jobs)
        try:
            await asyncio.wait(jobs)
        except asyncio.CancelledError:
            # The lead was cut off, and the SDK cancels this again and again; the workers are cancelled just once, so
            # that they can end their processes in peace.
            for job in jobs:
                job.cancel()
            raise
        reports = [job.result() for job in jobs]
        return {"content": [{"type": "text", "text": json.dumps({"reports": reports}, ensure_ascii=False)}]}

    def _checked(self, tasks: list[Task]) -> list[Task]:
        if not 1 <= len(tasks) <= MAX_TASKS:
            message = f"{len(tasks)} tasks were given; a call takes 1 to {MAX_TASKS}."
            raise Failure("invalid_arguments", message, "Nothing was delegated; split them over several calls.")
        for task in tasks:
            if task.worker not in self._team:
                raise Failure(
                    "unknown_worker",
                    f"{self._lead} has no worker `{task.worker[:64]}`{did_you_mean(task.worker, self._team)}",
                    "Nothing was delegated; call again with workers that are there.",
                    details={"workers": list(self._team)},
                )
            if not task.task.strip() or len(task.task) > MAX_TASK_CHARS:
                message = f"The task for {task.worker} must have 1 to {MAX_TASK_CHARS} characters."
                raise Failure("invalid_arguments", message, "Nothing was delegated; call again.")
        return tasks

    async def _report(self, task: Task, among: int) -> dict[str, JsonValue]:
        try:
            result = await self._work(task, among)
        except Exception:  # one worker must not take its siblings with it
            logger.exception("worker failed")
            result = SessionResult(failure=Failure("internal_error", "Something went wrong in the orchestrator."))
        return {
            "worker": task.worker,
            "status": "failed" if result.failure else "ok",
            "report": result.text[:MAX_REPORT_CHARS],
            "turns": result.turns,
            "cost_usd": result.cost_usd,
            "error": result.failure.as_dict() if result.failure else None,
        }

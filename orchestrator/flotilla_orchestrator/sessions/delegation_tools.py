"""The tools of a lead: `delegate` gives tasks to workers and returns their reports, `transfer_case` ends the lead.

A valid call of `transfer_case` ends the session for good. One of `delegate` waits and returns the reports, in
whichever process the session is resumed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema
from claude_agent_sdk import SdkMcpTool, ToolAnnotations
from flotilla_rehearsal.suggestions import did_you_mean
from pydantic import JsonValue

from ..config.fields import GATE, MAX_TASK_CHARS
from ..config.workers import Worker
from ..errors import Failure
from .tool_answers import answer, refusal

DELEGATE = f"mcp__{GATE}__delegate"
TRANSFER = f"mcp__{GATE}__transfer_case"
MAX_TASKS = 8  # in one call: more reports than that crowd out the lead's own context
MAX_REPORT_CHARS = 20_000

_TASK_SCHEMA = {
    "type": "object",
    "required": ["worker", "task"],
    "additionalProperties": False,
    "properties": {"worker": {"type": "string"}, "task": {"type": "string"}},
}
_DELEGATE_SCHEMA = {
    "type": "object",
    "required": ["tasks"],
    "additionalProperties": False,
    "properties": {"tasks": {"type": "array", "items": _TASK_SCHEMA}},
}
_TRANSFER_SCHEMA = {
    "type": "object",
    "required": ["worker", "note"],
    "additionalProperties": False,
    "properties": {"worker": {"type": "string"}, "note": {"type": "string"}},
}


@dataclass(frozen=True)
class Task:
    worker: str
    task: str


class DelegationTools:
    """The tools of one lead's session.

    Args:
        team: the workers it may delegate to, by name.
        successors: the workers that it may transfer its case to.
        reports: what the call that the session resumes with returns.
        allowed: it is not as deep in the hierarchy as the fleet's limits go.
    """

    def __init__(
        self,
        lead: str,
        team: Mapping[str, Worker],
        successors: Mapping[str, Worker],
        reports: Sequence[Mapping[str, JsonValue]] = (),
        *,
        allowed: bool = True,
    ) -> None:
        self._lead, self._team, self._successors, self._allowed = lead, team, successors, allowed
        self.reports: Sequence[Mapping[str, JsonValue]] = reports
        """What the next call returns, once."""

    @property
    def names(self) -> list[str]:
        """The full names of its tools."""
        return [*([DELEGATE] if self._team else []), *([TRANSFER] if self._successors else [])]

    def tools(self) -> list[SdkMcpTool[Any]]:
        delegate = SdkMcpTool(
            "delegate",
            "Give tasks to workers and get their reports. Tasks of one call run in parallel, "
            f"at most {MAX_TASKS}; what depends on a report goes into a later call. "
            f"A worker sees only its task text.\n{_described(self._team)}",
            _DELEGATE_SCHEMA,
            self._delegate,
            ToolAnnotations(maxResultSizeChars=2 * MAX_TASKS * MAX_REPORT_CHARS),
        )
        transfer = SdkMcpTool(
            "transfer_case",
            "Hand your whole case over to a worker for good: you end here, and its result takes the place of yours. "
            f"It sees your task and the note.\n{_described(self._successors)}",
            _TRANSFER_SCHEMA,
            self._transfer,
        )
        return [*([delegate] if self._team else []), *([transfer] if self._successors else [])]

    def tasks(self, tool: str, arguments: Mapping[str, Any]) -> list[Task]:
        """The tasks of a call; of a transfer, the task is the note.

        Raises:
            Failure: `invalid_arguments`, `unknown_worker`, `too_deep`: nothing may be started.
        """
        if not self._allowed:
            message = f"{self._lead} is as many delegations away from the run's lead as the limits allow."
            raise Failure("too_deep", message, "Nothing was delegated; do it yourself, or report what is missing.")
        transfer = tool == TRANSFER
        try:
            jsonschema.validate(arguments, _TRANSFER_SCHEMA if transfer else _DELEGATE_SCHEMA)
        except jsonschema.ValidationError as error:
            raise Failure("invalid_arguments", error.message[:500], "Nothing was delegated; call again.") from error
        requested = [{"worker": arguments["worker"], "task": arguments["note"]}] if transfer else arguments["tasks"]
        tasks, workers = [Task(**task) for task in requested], self._successors if transfer else self._team
        if not 1 <= len(tasks) <= MAX_TASKS:
            message = f"{len(tasks)} tasks were given; a call takes 1 to {MAX_TASKS}."
            raise Failure("invalid_arguments", message, "Nothing was delegated; split them over several calls.")
        for task in tasks:
            if task.worker not in workers:
                raise Failure(
                    "unknown_worker",
                    f"{self._lead} has no worker `{task.worker[:64]}`{did_you_mean(task.worker, workers)}",
                    "Nothing was delegated; call again with workers that are there.",
                    details={"workers": list(workers)},
                )
            if not task.task.strip() or len(task.task) > MAX_TASK_CHARS:
                text = "note" if transfer else "task"
                message = f"The {text} for {task.worker} must have 1 to {MAX_TASK_CHARS} characters."
                raise Failure("invalid_arguments", message, "Nothing was delegated; call again.")
        return tasks

    async def _delegate(self, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            tasks = self.tasks(DELEGATE, arguments)
            if len(tasks) != len(self.reports):
                raise Failure("not_delegated", "Nothing was delegated.", "Call again.", retryable=True)
        except Failure as failure:
            return refusal(failure)
        reports, self.reports = [*self.reports], ()
        return answer({"reports": reports})

    async def _transfer(self, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            self.tasks(TRANSFER, arguments)
            raise Failure("not_transferred", "Nothing was handed over.", "Call again.", retryable=True)
        except Failure as failure:
            return refusal(failure)


def _described(workers: Mapping[str, Worker]) -> str:
    return "\n".join(f"- {worker.name}: {worker.description}" for worker in workers.values())

"""Runs a playbook: the lead's session, the sessions it delegates to, their budget, and the record of it all."""

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
from claude_agent_sdk.types import McpHttpServerConfig
from pydantic import JsonValue

from .budget import Allowance, Budget
from .config import Config, Worker
from .delegation import DELEGATE, MAX_TASK_CHARS, Delegation, Task
from .errors import Failure
from .fleet import Fleet, running
from .grants import grants, hidden
from .journal import Journal, Run, Span
from .names import did_you_mean
from .provider import Provider
from .session import run_session
from .session_types import CallStatus, Session, SessionResult


def new_run_id() -> str:
    return f"run_{secrets.token_hex(5)}"


async def run_playbook(
    config: Config,
    run: Run,
    *,
    provider: Provider,
    journal: Journal,
    folder: Path,
    flags: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Run:
    """Execute `run` to its end and record it; a failure is in its `error`.

    Args:
        folder: private to this run; holds logs and transcripts.
        flags: further flags for every local server.

    Raises:
        Failure: `invalid_input`; nothing was started or recorded.
    """
    check_inputs(config, run.playbook, run.task, run.inputs)
    await journal.begin_run(run)
    span = await journal.begin(Span(run.run_id, None, "run", run.playbook, {"model": run.model}))
    run.status = "interrupted"  # unless the block gets to its end
    try:
        lead = config.playbooks[run.playbook].lead
        team = list(config.team(lead))
        servers = sorted({server for worker in team for server in worker.servers})
        async with running(config, servers, logs=folder, flags=flags, environ=environ) as fleet:
            fleet.require(team)
            case = _Case(config, run, fleet, provider, journal, folder)
            run.output = await case.lead(span)
        run.status = "ok"
    except Failure as failure:
        run.status, run.error = "failed", failure.as_dict()
    finally:
        await journal.end(span, run.status)
        await journal.end_run(run)
    return run


def check_inputs(config: Config, playbook: str, task: str, inputs: Mapping[str, JsonValue]) -> None:
    """Raises Failure `invalid_input` unless the playbook exists and takes this task and these inputs."""
    if playbook not in config.playbooks:
        known = did_you_mean(playbook, config.playbooks)
        raise Failure("invalid_input", f"There is no playbook `{playbook}`{known}", f"See {config.folder}/playbooks.")
    if not task.strip():
        raise Failure("invalid_input", "The task is empty.", "Say what the case is, as text or with --task-file.")
    if len(task) > MAX_TASK_CHARS:
        raise Failure("invalid_input", f"The task has {len(task)} characters; {MAX_TASK_CHARS} are the most.")
    schema = config.playbooks[playbook].inputs
    for error in jsonschema.Draft202012Validator(schema).iter_errors(dict(inputs)):  # pyright: ignore[reportUnknownMemberType]  # untyped in its stub
        where = ".".join(str(part) for part in error.absolute_path)
        message = f"input {where}: {error.message}" if where else f"inputs: {error.message}"
        raise Failure("invalid_input", message, f"Give --input NAME=VALUE for: {', '.join(schema['properties'])}.")


class _Case:
    """The sessions of one run."""

    def __init__(
        self, config: Config, run: Run, fleet: Fleet, provider: Provider, journal: Journal, folder: Path
    ) -> None:
        self._config, self._run, self._fleet = config, run, fleet
        self._provider, self._journal, self._folder = provider, journal, folder
        self._playbook = config.playbooks[run.playbook]
        self._budget = Budget(self._playbook.limits.over(config.fleet.limits.run))
        self._slots = asyncio.Semaphore(config.fleet.concurrency)

    async def lead(self, span: Span) -> dict[str, JsonValue]:
        """The lead's structured result.

        Raises:
            Failure: it ended without one.
        """
        inputs = "\n".join(f"- {name}: {json.dumps(value)}" for name, value in self._run.inputs.items())
        prompt = f"{self._run.task.strip()}\n\nInputs:\n{inputs}" if inputs else self._run.task.strip()
        result = await self._work(self._config.workers[self._playbook.lead], prompt, span, output=self._playbook.output)
        if result.failure:
            raise result.failure
        assert result.structured is not None, "a session without failure has what was asked for"
        return result.structured

    async def _work(
        self,
        worker: Worker,
        prompt: str,
        parent: Span,
        *,
        among: int = 1,
        output: Mapping[str, Any] | None = None,
    ) -> SessionResult:
        """One session with its span; a failure is in the result."""
        attributes: dict[str, JsonValue] = {"task": prompt, "model": self._provider.model}
        span = Span(self._run.run_id, parent.span_id, "session", worker.name, attributes)
        result = SessionResult(failure=Failure("interrupted", "The run was interrupted."))
        limits = worker.limits.over(self._config.fleet.limits.session)
        with contextlib.ExitStack() as reserved:
            try:
                # Before anything is awaited: tasks of one call take their shares in order.
                allowance = reserved.enter_context(self._budget.reserve(limits, among))
            except Failure as failure:
                await self._journal.begin(span)
                result = SessionResult(failure=failure)
                await self._end(span, result)
                return result
            await self._journal.begin(span)
            try:
                # A lead takes no slot: it would hold one while it waits for workers that need one.
                async with contextlib.nullcontext() if worker.delegates else self._slots:
                    result = await self._session(worker, prompt, span, allowance, output)
                    allowance.settle(result.turns, result.cost_usd)
            except Failure as failure:
                result = SessionResult(failure=failure)
            finally:
                await self._end(span, result)
        return result

    async def _end(self, span: Span, result: SessionResult) -> None:
        span.turns, span.cost_usd = result.turns, result.cost_usd
        span.input_tokens, span.output_tokens = result.input_tokens, result.output_tokens
        if self._provider.model == "claude" and result.model:
            span.attributes["model"] = result.model
        if result.failure:
            span.attributes["error"] = result.failure.as_dict()
        await self._journal.end(span, "failed" if result.failure else "ok")

    async def _session(
        self, worker: Worker, prompt: str, span: Span, allowance: Allowance, output: Mapping[str, Any] | None
    ) -> SessionResult:
        fleet_limits, models = self._config.fleet.limits, self._config.fleet.models
        model = worker.model or models.default
        calls = _Calls(self._journal, span)
        granted = grants(worker, self._fleet, self._run.inputs)
        delegation = self._delegation(worker, calls) if worker.delegates else None
        session = Session(
            session_id=str(UUID(span.span_id)),
            agent=worker.name,
            system_prompt=worker.prompt,
            prompt=prompt,
            model=model,
            fallback_model=models.fallbacks.get(model),
            grants={**granted, DELEGATE: {}} if delegation else granted,
            hidden=hidden(worker, self._fleet),
            servers={name: self._server(name) for name in worker.servers},
            gate=[delegation.tool()] if delegation else [],
            output_schema=output,
            max_turns=allowance.max_turns,
            budget_usd=allowance.budget_usd,
            wall_clock_s=allowance.wall_clock_s,
            model_call_s=fleet_limits.model_call_s,
            retries=fleet_limits.retries,
            environment=self._environment(worker),
            folder=self._folder,
        )
        try:
            return await run_session(session, calls)
        finally:
            if delegation:
                await delegation.close()

    def _delegation(self, lead: Worker, calls: "_Calls") -> Delegation:
        team = {name: self._config.workers[name] for name in lead.delegates}

        async def work(task: Task, among: int) -> SessionResult:
            return await self._work(team[task.worker], task.task, calls.delegation, among=among)

        return Delegation(lead.name, team, work)

    def _server(self, name: str) -> McpHttpServerConfig:
        server = self._fleet.servers[name]
        return {"type": "http", "url": server.url, "headers": dict(server.headers)}

    def _environment(self, worker: Worker) -> dict[str, str]:
        """The provider's variables, and the values that its servers' headers name (so no token is in an argument)."""
        environment = self._provider.environment(worker.name)
        for name in worker.servers:
            environment.update(self._fleet.servers[name].variables)
        return environment


class _Calls:
    """Records an agent's tool calls as spans."""

    def __init__(self, journal: Journal, session: Span) -> None:
        self._journal, self._session = journal, session
        self._spans: dict[str, Span] = {}
        self.delegation = session  # the span of the latest delegate call: the CLI runs one at a time

    async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
        kind = "delegate" if tool == DELEGATE else "tool"
        attributes: dict[str, JsonValue] = {"tool": tool, "arguments": arguments, "tool_use_id": call_id}
        name = tool.rsplit("__", 1)[-1]
        span = Span(self._session.run_id, self._session.span_id, kind, name, attributes)
        self._spans[call_id] = span
        if kind == "delegate":
            self.delegation = span
        await self._journal.begin(span)

    async def call_ended(self, call_id: str, status: CallStatus, error: str | None = None) -> None:
        span = self._spans.pop(call_id)
        if error:
            span.attributes["error"] = error[:2000]
        await self._journal.end(span, status)

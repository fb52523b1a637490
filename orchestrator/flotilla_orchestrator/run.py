"""Runs a playbook: the lead's session, the sessions it delegates to, their budget, and the record of it all."""

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
from claude_agent_sdk import Message
from pydantic import JsonValue

from .agent import Agent, Means
from .budget import Budget
from .config import Config, Playbook, Worker
from .deadline import Deadline
from .delegation import MAX_TASK_CHARS, Task
from .errors import Failure
from .fleet import running
from .journal import Journal, Run, Span
from .lookups import look_up
from .minting import Mandates
from .names import did_you_mean
from .provider import Provider
from .session_types import Session, SessionResult
from .waiting import Ask


def new_run_id() -> str:
    return f"run_{secrets.token_hex(5)}"


async def run_playbook(
    config: Config,
    run: Run,
    *,
    provider: Provider,
    journal: Journal,
    folder: Path,
    keys: Path,
    ask: Ask,
    flags: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    hear: Callable[[Session, Message], None] | None = None,
) -> Run:
    """Execute `run` to its end and record it; a failure is in its `error`.

    Args:
        folder: private to this run; holds logs and transcripts.
        keys: the key ring that signs mandates for servers elsewhere.
        ask: brings each call that has to be approved before somebody who may.
        flags: further flags for every local server.
        hear: told each message of each session.

    Raises:
        Failure: `invalid_input`; nothing was started or recorded.
    """
    check_inputs(config, run.playbook, run.task, run.inputs)
    await journal.begin_run(run)
    span = await journal.begin(Span(run.run_id, None, "run", run.playbook, _attributes(config, run)))
    run.status = "interrupted"  # unless the block gets to its end
    try:
        playbook = config.playbooks[run.playbook]
        team = list(config.team(playbook.lead))
        servers = config.servers(playbook)
        async with running(
            config, servers, run_id=run.run_id, logs=folder, keys=keys, flags=flags, environ=environ
        ) as fleet:
            fleet.require(team)
            mandates = Mandates(config, fleet, await look_up(playbook, fleet, run.inputs), playbook, team)
            slots = asyncio.Semaphore(config.fleet.concurrency)
            means = Means(config, fleet, mandates, provider, journal, folder, ask, slots, hear)
            run.output = await _Case(run, means).lead(span)
        run.status = "ok"
    except Failure as failure:
        run.status, run.error = "failed", failure.as_dict()
    finally:
        await journal.end(span, run.status)
        await journal.end_run(run)
    return run


def _attributes(config: Config, run: Run) -> dict[str, JsonValue]:
    return {"model": run.model, "version": config.playbooks[run.playbook].version}


def check_inputs(config: Config, playbook: str, task: str, inputs: Mapping[str, JsonValue]) -> None:
    """Raises Failure `invalid_input` unless the playbook exists and takes this task and these inputs."""
    if playbook not in config.playbooks:
        known = did_you_mean(playbook, config.playbooks)
        raise Failure("invalid_input", f"There is no playbook `{playbook}`{known}", f"See {config.folder}/playbooks.")
    check_task(task)
    check_values(config.playbooks[playbook], inputs)


def check_task(task: str) -> None:
    """Raises Failure `invalid_input` unless the task has text, and not too much of it."""
    if not task.strip():
        raise Failure("invalid_input", "The task is empty.", "Say what the case is, as text or with --task-file.")
    if len(task) > MAX_TASK_CHARS:
        raise Failure("invalid_input", f"The task has {len(task)} characters; {MAX_TASK_CHARS} are the most.")


def check_values(playbook: Playbook, inputs: Mapping[str, JsonValue]) -> None:
    """Raises Failure `invalid_input` unless the playbook takes these inputs."""
    schema = playbook.inputs
    for error in jsonschema.Draft202012Validator(schema).iter_errors(dict(inputs)):  # pyright: ignore[reportUnknownMemberType]  # untyped in its stub
        where = ".".join(str(part) for part in error.absolute_path)
        message = f"input {where}: {error.message}" if where else f"inputs: {error.message}"
        raise Failure("invalid_input", message, f"Give --input NAME=VALUE for: {', '.join(schema['properties'])}.")


class _Case:
    """The sessions of one run."""

    def __init__(self, run: Run, means: Means) -> None:
        self._run, self._means, self._config, self._journal = run, means, means.config, means.journal
        self._playbook = self._config.playbooks[run.playbook]
        self._budget = Budget(self._playbook.limits.over(self._config.fleet.limits.run))

    async def lead(self, span: Span) -> dict[str, JsonValue]:
        """The lead's structured result.

        Raises:
            Failure: it ended without one.
        """
        inputs = "\n".join(f"- {name}: {json.dumps(value)}" for name, value in self._run.inputs.items())
        prompt = f"{self._run.task.strip()}\n\nInputs:\n{inputs}" if inputs else self._run.task.strip()
        lead, above = self._config.workers[self._playbook.lead], self._budget.deadline
        result = await self._work(lead, prompt, span, above, output=self._playbook.output)
        if result.failure:
            raise result.failure
        assert result.structured is not None, "a session without failure has what was asked for"
        return result.structured

    async def _work(
        self,
        worker: Worker,
        prompt: str,
        parent: Span,
        above: Deadline,
        *,
        among: int = 1,
        output: Mapping[str, Any] | None = None,
    ) -> SessionResult:
        """One session with its span; a failure is in the result."""
        attributes: dict[str, JsonValue] = {"task": prompt, "model": self._run.model, "version": worker.version}
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
                agent = Agent(self._means, worker, prompt, output, span=span, above=above, work=self._delegated)
                result = await agent.run(allowance)
            finally:
                await self._end(span, result)
        return result

    async def _delegated(self, task: Task, among: int, parent: Span, above: Deadline) -> SessionResult:
        return await self._work(self._config.workers[task.worker], task.task, parent, above, among=among)

    async def _end(self, span: Span, result: SessionResult) -> None:
        span.turns, span.cost_usd = result.turns, result.cost_usd
        span.input_tokens, span.output_tokens = result.input_tokens, result.output_tokens
        if self._run.model == "claude" and result.model:
            span.attributes["model"] = result.model
        if result.failure:
            span.attributes["error"] = result.failure.as_dict()
        await self._journal.end(span, "failed" if result.failure else "ok")

"""Runs a worker's task with its retries: again, with the fallback model, by the fallback worker.

Each attempt is a session with a span of its own, and all of them share what the task was given to use. A further one is
made only if no call before it can have changed anything; else the failure goes back to the lead with the calls made.
"""

import logging
from dataclasses import dataclass, replace

from ..config.workers import Worker
from ..durable.workflow import sleep, step, workflow, workflow_id
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..journal.allowances import Allowance
from ..journal.journal import Span, span_id_for
from ..sessions.types import SessionResult
from .agent_session import internal_failure, run_session
from .agent_task import AgentTask
from .context import RunContext
from .delegations import run_transfer
from .process import process
from .session_record import end_session
from .side_effects import call_summaries, changing_calls, may_have_changed

logger = logging.getLogger(__name__)

_PAUSE_S, _LONGEST_S = 1, 30  # before the second session of a worker, doubled for each after it
_NEVER_RETRIED = {"authentication_failed", "budget_exceeded", "cancelled", "turns_exceeded"}
_MODEL_FAILURES = {"overloaded", "rate_limited", "model_error"}
# Failures that another worker may not have; a wrong key or a used-up limit would stop it too.
_WORKER_FAILURES = _MODEL_FAILURES | {"cli_failed", "server_unavailable", "server_circuit_open", "session_failed",
                                  "invalid_output", "no_structured_output"}  # fmt: skip


@workflow("agent")
async def run_agent(agent_task: AgentTask) -> SessionResult:
    """Run a worker's task to its end; a failure is in the result."""
    async with process().contexts.use(agent_task.request) as context:
        try:
            if isinstance(agent_task.allowance_or_failure, Failure):
                return await _record_refusal(context, agent_task, agent_task.allowance_or_failure)
            return await _Retries(context, agent_task).run()
        except Exception as error:  # one worker must not end its siblings
            logger.exception("worker failed")
            return SessionResult(failure=internal_failure(error))


async def _record_refusal(context: RunContext, agent_task: AgentTask, reason: Failure) -> SessionResult:
    """Record a task that is not begun: it has no allowance, or its text could not be rendered."""
    result = SessionResult(failure=reason, cost_usd=0.0)
    attributes: JsonObject = {"task": agent_task.task, "model": context.request.model, **agent_task.span_attributes}
    span = Span(
        context.request.run_id, agent_task.parent_span_id, "session", agent_task.worker, attributes, agent_task.span_id
    )
    await end_session(context, await process().journal.begin(span), result)
    return result


@dataclass(frozen=True)
class _NextAttempt:
    agent_task: AgentTask
    pause_s: float
    """How long to wait first."""


class _Retries:
    def __init__(self, context: RunContext, agent_task: AgentTask) -> None:
        self._context, self._task = context, agent_task
        self._name = workflow_id()
        self._sessions = [agent_task.span_id]
        self._attempts_of_worker = 1  # of this worker with its own model

    async def run(self) -> SessionResult:
        ledger, total = self._context.ledger, SessionResult()
        while True:
            agent_task = self._task
            name = f"{self._name}~{agent_task.attempt}" if agent_task.attempt > 1 else self._name
            result = await run_session(self._context, agent_task, name)
            total = total.merge(result)
            next_attempt = await step("next", self._next, result) if result.failure else None
            if next_attempt is None:
                await ledger.settle(agent_task.span_id)
                break
            self._adopt(next_attempt)
            await ledger.transfer(agent_task.span_id, self._task.span_id, self._task.worker, self._task.allowance)
            await sleep(next_attempt.pause_s)
        if result.pending_delegation:
            total = total.merge(await run_transfer(self._context, self._task, name, result.pending_delegation))
        if total.failure:
            if self._task.attempt > 1:
                total.failure.details["attempts"] = self._task.attempt
            total = replace(total, side_effects=await step("done", self._side_effects))
        return total

    def _adopt(self, next_attempt: _NextAttempt) -> None:
        """Make the next attempt the current one, as decided in this process or an earlier one."""
        self._task = next_attempt.agent_task
        self._sessions.append(self._task.span_id)
        self._attempts_of_worker = self._attempts_of_worker + 1 if next_attempt.pause_s else 1

    async def _next(self, result: SessionResult) -> _NextAttempt | None:
        """The attempt after one that has failed, if there is one."""
        assert result.failure
        choice = self._choose(result.failure)
        if choice is None or may_have_changed(await changing_calls(self._context, [self._task.span_id])):
            return None
        reason, changed_task, pause_s = choice
        remaining = await self._remaining_allowance(result, changed_task.worker, pause_s)
        if remaining is None:
            return None
        count = self._task.attempt + 1
        span_id, reason = span_id_for(f"{self._name}~{count}"), f"{reason} after {result.failure.code}"
        return _NextAttempt(
            replace(
                changed_task, span_id=span_id, attempt=count, attempt_reason=reason, allowance_or_failure=remaining
            ),
            pause_s,
        )

    def _choose(self, failure: Failure) -> tuple[str, AgentTask, float] | None:
        """Why and how to try again, and after how many seconds."""
        agent_task, config = self._task, self._context.resources.config
        worker = config.workers[agent_task.worker]
        models = config.fleet.models
        may_retry = (failure.retryable and failure.code != "server_circuit_open") or failure.code == "cli_failed"
        may_retry = may_retry or (agent_task.max_attempts is not None and failure.code not in _NEVER_RETRIED)
        if (
            may_retry
            and self._attempts_of_worker < (agent_task.max_attempts or worker.attempts)
            and agent_task.model is None
        ):
            return "retry", agent_task, min(_PAUSE_S * 2 ** (self._attempts_of_worker - 1), _LONGEST_S)
        fallback_model = models.fallbacks.get(worker.model or models.default)
        if failure.code in _MODEL_FAILURES and fallback_model and agent_task.model is None:
            return f"fallback model {fallback_model}", replace(agent_task, model=fallback_model), 0
        if failure.code in _WORKER_FAILURES and worker.fallback:
            return f"fallback for {worker.name}", _for_fallback_worker(worker.fallback, agent_task, worker, failure), 0
        return None

    async def _remaining_allowance(self, result: SessionResult, worker: str, pause_s: float) -> Allowance | None:
        """What the attempts so far have left, within the worker's own limits; None: nothing."""
        entry = await self._context.ledger.entry(self._task.span_id)
        allowance, config = self._task.allowance, self._context.resources.config
        own = config.workers[worker].limits.with_defaults(config.fleet.limits.session)
        turns = allowance.max_turns - result.turns - entry.lost_turns
        usd = allowance.budget_usd - (
            allowance.budget_usd if result.cost_usd is None else result.cost_usd + entry.lost_usd
        )
        seconds = allowance.wall_clock_s - entry.active_s - pause_s
        remaining = Allowance(
            min(turns, own.max_turns or turns),
            min(usd, own.budget_usd or usd),
            min(seconds, own.wall_clock_s or seconds),
        )
        return remaining if min(remaining.max_turns, remaining.budget_usd, remaining.wall_clock_s) > 0 else None

    async def _side_effects(self) -> list[JsonObject]:
        return call_summaries(await changing_calls(self._context, self._sessions))


def _for_fallback_worker(fallback: str, agent_task: AgentTask, worker: Worker, failure: Failure) -> AgentTask:
    note = f"{worker.name} was to do this and failed, without having changed anything: {failure.message[:300]}"
    return replace(agent_task, worker=fallback, model=None, task=f"{agent_task.task}\n\n{note}")

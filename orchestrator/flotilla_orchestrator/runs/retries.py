"""A worker's task, to the end of all that may be tried for it: again, with the fallback model, by the fallback worker.

Each attempt is a session with a span of its own, and all of them share what the task was given to use. A further one is
made only if no call before it can have changed anything: what may have moved money is never tried again blindly, it
comes back to the lead with what was done.
"""

import logging
from dataclasses import dataclass, replace

from ..config.config import Worker
from ..durable.workflow import durable, sleep, step, workflow_id
from ..durable.workflow_store import Said
from ..errors import Failure
from ..journal.allowances import Allowance
from ..journal.journal import Span, named
from ..sessions.types import SessionResult
from .agent_session import attempt, internal_error
from .agent_task import Job
from .context import Case
from .delegations import handed_over
from .process import process
from .session_record import end
from .side_effects import changes, may_have_changed, told

logger = logging.getLogger(__name__)

_PAUSE_S, _LONGEST_S = 1, 30  # before the second session of a worker, doubled for each after it
_HOPELESS = {"authentication_failed", "budget_exceeded", "cancelled", "turns_exceeded"}
_OF_THE_MODEL = {"overloaded", "rate_limited", "model_error"}
# What another worker may do better; a wrong key or a limit that is used up would stop it too.
_OF_THE_WORKER = _OF_THE_MODEL | {"cli_failed", "server_unavailable", "server_circuit_open", "session_failed",
                                  "invalid_output", "no_structured_output"}  # fmt: skip


@durable("agent")
async def agent(job: Job) -> SessionResult:
    """A worker's task to its end; a failure is in the result."""
    async with process().contexts.use(job.order) as case:
        try:
            if isinstance(job.share, Failure):
                return await _refused(case, job, job.share)
            return await _Attempts(case, job).run()
        except Exception:  # one worker must not take its siblings with it
            logger.exception("worker failed")
            return SessionResult(failure=internal_error())


async def _refused(case: Case, job: Job, why: Failure) -> SessionResult:
    """There was nothing left for it to work with, or it could not be told what to do."""
    result = SessionResult(failure=why, cost_usd=0.0)
    attributes: Said = {"task": job.task, "model": case.order.model, **job.about}
    span = Span(case.order.run_id, job.parent_id, "session", job.worker, attributes, job.span_id)
    await end(case, await process().journal.begin(span), result)
    return result


@dataclass(frozen=True)
class _Next:
    job: Job
    pause_s: float
    """How long to wait first."""


class _Attempts:
    def __init__(self, case: Case, job: Job) -> None:
        self._case, self._job = case, job
        self._name = workflow_id()
        self._sessions = [job.span_id]
        self._tries = 1  # of this worker with its own model

    async def run(self) -> SessionResult:
        ledger, total = self._case.ledger, SessionResult()
        while True:
            job = self._job
            name = f"{self._name}~{job.attempt}" if job.attempt > 1 else self._name
            result = await attempt(self._case, job, name, agent)
            total = total.then(result)
            found = await step("next", self._next, result) if result.failure else None
            if found is None:
                await ledger.settle(job.span_id)
                break
            self._take(found)
            await ledger.succeed(job.span_id, self._job.span_id, self._job.worker, self._job.allowance)
            await sleep(found.pause_s)
        if result.delegated:
            total = total.then(await handed_over(self._case, self._job, name, result.delegated, agent))
        if total.failure:
            if self._job.attempt > 1:
                total.failure.details["attempts"] = self._job.attempt
            total = replace(total, done=await step("done", self._done))
        return total

    def _take(self, found: _Next) -> None:
        """Go on as was decided, in this process or an earlier one."""
        self._job = found.job
        self._sessions.append(self._job.span_id)
        self._tries = self._tries + 1 if found.pause_s else 1

    async def _next(self, result: SessionResult) -> _Next | None:
        """The attempt that follows one that has failed, if one does."""
        assert result.failure
        way = self._way(result.failure)
        if way is None or may_have_changed(await changes(self._case, [self._job.span_id])):
            return None
        why, changed, pause_s = way
        left = await self._left(result, changed.worker, pause_s)
        if left is None:
            return None
        count = self._job.attempt + 1
        span_id, why = named(f"{self._name}~{count}"), f"{why} after {result.failure.code}"
        return _Next(replace(changed, span_id=span_id, attempt=count, why=why, share=left), pause_s)

    def _way(self, failure: Failure) -> tuple[str, Job, float] | None:
        """Why and how to try again, and after how many seconds."""
        job, config = self._job, self._case.means.config
        worker = config.workers[job.worker]
        models = config.fleet.models
        again = (failure.retryable and failure.code != "server_circuit_open") or failure.code == "cli_failed"
        again = again or (job.tries is not None and failure.code not in _HOPELESS)
        if again and self._tries < (job.tries or worker.attempts) and job.model is None:
            return "retry", job, min(_PAUSE_S * 2 ** (self._tries - 1), _LONGEST_S)
        other = models.fallbacks.get(worker.model or models.default)
        if failure.code in _OF_THE_MODEL and other and job.model is None:
            return f"fallback model {other}", replace(job, model=other), 0
        if failure.code in _OF_THE_WORKER and worker.fallback:
            return f"fallback for {worker.name}", _given_to(worker.fallback, job, worker, failure), 0
        return None

    async def _left(self, result: SessionResult, worker: str, pause_s: float) -> Allowance | None:
        """What the attempts so far have left, and a worker's own limits let it use; None: nothing."""
        entry = await self._case.ledger.entry(self._job.span_id)
        given, config = self._job.allowance, self._case.means.config
        own = config.workers[worker].limits.over(config.fleet.limits.session)
        turns = given.max_turns - result.turns - entry.lost_turns
        usd = given.budget_usd - (given.budget_usd if result.cost_usd is None else result.cost_usd + entry.lost_usd)
        seconds = given.wall_clock_s - entry.active_s - pause_s
        left = Allowance(
            min(turns, own.max_turns or turns),
            min(usd, own.budget_usd or usd),
            min(seconds, own.wall_clock_s or seconds),
        )
        return left if min(left.max_turns, left.budget_usd, left.wall_clock_s) > 0 else None

    async def _done(self) -> list[Said]:
        return told(await changes(self._case, self._sessions))


def _given_to(fallback: str, job: Job, worker: Worker, failure: Failure) -> Job:
    said = f"{worker.name} was to do this and failed, without having changed anything: {failure.message[:300]}"
    return replace(job, worker=fallback, model=None, task=f"{job.task}\n\n{said}")

"""What a lead has others do: an allowance for each task, a child workflow for each, and their reports."""

from dataclasses import replace

from flotilla_kit.effects import faults

from ..durable.workflow import Workflow, step
from ..durable.workflow_store import Said
from ..errors import Failure
from ..journal.allowances import Allowance, Wanted
from ..journal.journal import named
from ..sessions.call_recorder import span_of
from ..sessions.types import Delegated, SessionResult
from .agent_task import Job
from .context import Case
from .session_record import report

Tasks = Workflow[[Job], SessionResult]
"""What does one task, to its end."""


async def reports(case: Case, job: Job, lead: str, delegated: Delegated, agent: Tasks) -> list[Said]:
    """Have the tasks of a call of `delegate` done side by side.

    Args:
        job: of the lead.
        lead: the name of its workflow.
    """
    call, tasks = span_of(job.span_id, delegated.tool_use_id), delegated.tasks
    names = [f"{lead}/{call[:8]}.{number}" for number in range(len(tasks))]
    faults.point("delegated")
    held = await shares(case, [(name, task.worker) for name, task in zip(names, tasks, strict=True)], job.span_id)
    given = [
        Job(job.order, job.lookups, named(name), call, job.span_id, task.worker, task.task, share, depth=job.depth + 1)
        for name, task, share in zip(names, tasks, held, strict=True)
    ]
    going = [await agent.start(name, one) for name, one in zip(names, given, strict=True)]
    faults.point("workers_started")
    found = [await handle.result() for handle in going]
    faults.point("reported")
    return [report(task, result) for task, result in zip(tasks, found, strict=True)]


async def handed_over(case: Case, job: Job, lead: str, delegated: Delegated, agent: Tasks) -> SessionResult:
    """What the worker makes of a case that its lead has handed over; it takes the lead's place.

    Args:
        job: of the lead, which has ended.
    """
    call, (task,) = span_of(job.span_id, delegated.tool_use_id), delegated.tasks
    name = f"{lead}/{call[:8]}"
    (share,) = await shares(case, [(name, task.worker)])
    heir = replace(
        job,
        span_id=named(name),
        parent_id=call,
        worker=task.worker,
        task=f"{job.task}\n\nHanded over by {job.worker}: {task.task}",
        share=share,
        depth=job.depth + 1,
        model=None,
        attempt=1,
        why="",
    )
    return await (await agent.start(name, heir)).result()


async def shares(case: Case, workers: list[tuple[str, str]], above: str | None = None) -> list[Allowance | Failure]:
    """An allowance for each of the named sessions, or why it gets none; they share evenly.

    Args:
        above: the session that waits for them.
    """

    async def reserve() -> list[Allowance | Failure]:
        session, known = case.means.config.fleet.limits.session, case.means.config.workers
        wanted = [Wanted(named(name), worker, known[worker].limits.over(session), above) for name, worker in workers]
        return await case.ledger.reserve(case.order.run_id, case.limits, wanted)

    return await step("shares", reserve)

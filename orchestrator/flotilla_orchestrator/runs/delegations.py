"""What a lead has others do: an allowance for each task, a child workflow for each, and their reports."""

from dataclasses import replace

from flotilla_kit.effects import faults

from ..durable.workflow import Workflow, step
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..journal.allowances import Allowance, Reservation
from ..journal.journal import span_id_for
from ..sessions.call_recorder import call_span_id
from ..sessions.types import PendingDelegation, SessionResult
from .agent_task import AgentTask
from .context import RunContext
from .session_record import report_of

AgentWorkflow = Workflow[[AgentTask], SessionResult]
"""What does one task, to its end."""


async def run_tasks(
    context: RunContext, agent_task: AgentTask, lead: str, delegated: PendingDelegation, agent: AgentWorkflow
) -> list[JsonObject]:
    """Have the tasks of a call of `delegate` done side by side.

    Args:
        job: of the lead.
        lead: the name of its workflow.
    """
    call, tasks = call_span_id(agent_task.span_id, delegated.tool_use_id), delegated.tasks
    names = [f"{lead}/{call[:8]}.{number}" for number in range(len(tasks))]
    faults.point("delegated")
    held = await reserve_allowances(
        context, [(name, task.worker) for name, task in zip(names, tasks, strict=True)], agent_task.span_id
    )
    given = [
        AgentTask(
            agent_task.request,
            agent_task.lookups,
            span_id_for(name),
            call,
            agent_task.span_id,
            task.worker,
            task.task,
            share,
            depth=agent_task.depth + 1,
        )
        for name, task, share in zip(names, tasks, held, strict=True)
    ]
    going = [await agent.start(name, one) for name, one in zip(names, given, strict=True)]
    faults.point("workers_started")
    found = [await handle.result() for handle in going]
    faults.point("reported")
    return [report_of(task, result) for task, result in zip(tasks, found, strict=True)]


async def run_transfer(
    context: RunContext, agent_task: AgentTask, lead: str, delegated: PendingDelegation, agent: AgentWorkflow
) -> SessionResult:
    """What the worker makes of a case that its lead has handed over; it takes the lead's place.

    Args:
        job: of the lead, which has ended.
    """
    call, (task,) = call_span_id(agent_task.span_id, delegated.tool_use_id), delegated.tasks
    name = f"{lead}/{call[:8]}"
    (share,) = await reserve_allowances(context, [(name, task.worker)])
    heir = replace(
        agent_task,
        span_id=span_id_for(name),
        parent_id=call,
        worker=task.worker,
        task=f"{agent_task.task}\n\nHanded over by {agent_task.worker}: {task.task}",
        share=share,
        depth=agent_task.depth + 1,
        model=None,
        attempt=1,
        why="",
    )
    return await (await agent.start(name, heir)).result()


async def reserve_allowances(
    context: RunContext, workers: list[tuple[str, str]], above: str | None = None
) -> list[Allowance | Failure]:
    """An allowance for each of the named sessions, or why it gets none; they share evenly.

    Args:
        above: the session that waits for them.
    """

    async def reserve() -> list[Allowance | Failure]:
        session, known = context.resources.config.fleet.limits.session, context.resources.config.workers
        wanted = [
            Reservation(span_id_for(name), worker, known[worker].limits.over(session), above)
            for name, worker in workers
        ]
        return await context.ledger.reserve(context.request.run_id, context.limits, wanted)

    return await step("shares", reserve)

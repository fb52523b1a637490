"""Runs delegated tasks: an allowance and a child workflow for each, and their reports."""

from dataclasses import replace

from flotilla_kit.effects import faults

from ..durable.workflow import step
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..journal import artifacts
from ..journal.allowances import Allowance, Reservation
from ..journal.journal import span_id_for
from ..sessions.call_recorder import call_span_id
from ..sessions.types import PendingDelegation, SessionResult
from .agent_task import AgentTask
from .context import RunContext
from .process import process
from .session_record import report_of


async def run_tasks(
    context: RunContext, agent_task: AgentTask, lead: str, delegation: PendingDelegation
) -> list[JsonObject]:
    """Run the tasks of a call of `delegate` in parallel; returns their reports.

    Args:
        agent_task: of the lead.
        lead: the name of its workflow.
    """
    call, tasks = call_span_id(agent_task.span_id, delegation.tool_use_id), delegation.tasks
    names = [session_name(lead, call, number) for number in range(len(tasks))]
    faults.point("delegated")
    allowances = await reserve_allowances(
        context, [(name, task.worker) for name, task in zip(names, tasks, strict=True)], agent_task.span_id
    )
    agent_tasks = [
        AgentTask(
            agent_task.request,
            agent_task.lookups,
            span_id_for(name),
            call,
            agent_task.span_id,
            task.worker,
            task.task,
            allowance,
            depth=agent_task.depth + 1,
        )
        for name, task, allowance in zip(names, tasks, allowances, strict=True)
    ]
    handles = [await process().run_agent.start(name, each) for name, each in zip(names, agent_tasks, strict=True)]
    faults.point("workers_started")
    results = [await handle.result() for handle in handles]
    faults.point("reported")
    written = await context.resources.journal.query(artifacts.listed, context.request.run_id)
    return [
        report_of(task, result, [artifact for artifact in written if artifact.belongs_to(name)])
        for name, task, result in zip(names, tasks, results, strict=True)
    ]


def session_name(lead: str, call: str, number: int) -> str:
    """The name of the workflow of a task of a call (its span), after that of its lead."""
    return f"{lead}/{call[:8]}.{number}"


async def run_transfer(
    context: RunContext, agent_task: AgentTask, lead: str, delegation: PendingDelegation
) -> SessionResult:
    """Run the worker that a lead has transferred its case to; its result takes the place of the lead's.

    Args:
        agent_task: of the lead, which has ended.
    """
    call, (task,) = call_span_id(agent_task.span_id, delegation.tool_use_id), delegation.tasks
    name = f"{lead}/{call[:8]}"
    (allowance,) = await reserve_allowances(context, [(name, task.worker)])
    successor = replace(
        agent_task,
        span_id=span_id_for(name),
        parent_span_id=call,
        worker=task.worker,
        task=f"{agent_task.task}\n\nHanded over by {agent_task.worker}: {task.task}",
        allowance_or_failure=allowance,
        depth=agent_task.depth + 1,
        model=None,
        attempt=1,
        attempt_reason="",
    )
    return await (await process().run_agent.start(name, successor)).result()


async def reserve_allowances(
    context: RunContext, workers: list[tuple[str, str]], awaited_by: str | None = None
) -> list[Allowance | Failure]:
    """An allowance for each of the named sessions, or why it gets none; what is left is divided evenly.

    Args:
        awaited_by: the session that waits for them.
    """

    async def reserve() -> list[Allowance | Failure]:
        session, known = context.resources.config.fleet.limits.session, context.resources.config.workers
        reservations = [
            Reservation(span_id_for(name), worker, known[worker].limits.with_defaults(session), awaited_by)
            for name, worker in workers
        ]
        return await context.ledger.reserve(context.request.run_id, context.limits, reservations)

    return await step("allowances", reserve)

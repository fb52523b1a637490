"""A run: its lead or its steps at work, from the order to the end of its record."""

import json
import logging
from dataclasses import replace

from flotilla_kit.effects import faults

from ..durable.workflow import durable, step, workflow_id
from ..durable.workflow_store import Said
from ..errors import Failure
from ..fleet.lookups import look_up
from ..journal.journal import Run, Span, Status, named
from ..run_request import RunRequest
from .agent_session import internal_error
from .agent_task import Job
from .calls_after import after
from .context import Case
from .delegations import shares
from .process import process
from .retries import agent
from .session_parts import turns_so_far
from .session_record import status
from .steps import by_steps

logger = logging.getLogger(__name__)


@durable("run")
async def run(order: RunRequest) -> Status:
    """A run to its end, which the journal has."""
    return await _recorded(order, None)


@durable("follow")
async def follow(order: RunRequest, text: str) -> Status:
    """One more turn of a lead whose run has ended; its result is the run's then."""
    return await _recorded(order, text)


async def _recorded(order: RunRequest, text: str | None) -> Status:
    journal = process().journal
    record = Run(order.run_id, order.playbook, order.model, order.task, order.inputs)
    if text is not None and (before := await journal.run(order.run_id)):
        record.output = before.output  # which stays if the further turn fails
    await journal.begin_run(record)
    span = Span(order.run_id, None, "run", order.playbook, {"model": order.model}, named(order.run_id))
    await journal.begin(span)
    record.status = "interrupted"  # unless the block gets to its end
    try:
        async with process().contexts.use(order) as case:
            span.attributes["version"] = case.playbook.version
            lookups = await _lookups(case)
            record.output = await _result(case, span, lookups, text)
            await after(case, span, lookups, text or order.task, record.output)
        record.status = "ok"
    except Failure as failure:
        record.status, record.error = status(failure), failure.as_dict()
    except Exception:
        logger.exception("run failed")
        record.status, record.error = "failed", internal_error().as_dict()
    finally:
        faults.point("run_ends")
        await journal.end(span, record.status)
        await journal.end_run(record)
    return record.status


async def _result(case: Case, span: Span, lookups: Said, text: str | None) -> Said:
    lead = case.playbook.lead
    if lead is None:
        return await by_steps(case, span, lookups)
    return await (_lead(case, span, lead, lookups) if text is None else _followed(case, span, lead, lookups, text))


async def _followed(case: Case, span: Span, lead: str, lookups: Said, text: str) -> Said:
    first = named(f"{case.order.run_id}/lead")

    name, turns = f"{workflow_id()}/lead", await step("before", turns_so_far, case, first)
    (share,) = await shares(case, [(name, lead)])
    job = Job(case.order, lookups, named(name), span.span_id, None, lead, text, share, True)
    return await _worked(name, replace(job, session_of=first, say=text, before=turns))


async def _lookups(case: Case) -> Said:
    order, playbook = case.order, case.playbook
    case.means.fleet.require(case.means.config.team(playbook), [playbook])

    async def lookups() -> Said:
        found = dict((await look_up(playbook, case.means.fleet, order.inputs)).lookups)
        case.check(found)
        return found

    found = await step("lookups", lookups)
    faults.point("run_begun")
    return found


async def _lead(case: Case, span: Span, lead: str, found: Said) -> Said:
    order = case.order
    inputs = "\n".join(f"- {name}: {json.dumps(value)}" for name, value in order.inputs.items())
    prompt = f"{order.task.strip()}\n\nInputs:\n{inputs}" if inputs else order.task.strip()
    name = f"{order.run_id}/lead"
    (share,) = await shares(case, [(name, lead)])
    job = Job(order, found, named(name), span.span_id, None, lead, prompt, share, True)
    return await _worked(name, job)


async def _worked(name: str, job: Job) -> Said:
    """What the lead's structured result is."""
    result = await (await agent.start(name, job)).result()
    if result.failure:
        raise result.failure
    assert result.structured is not None, "a session without failure has what was asked for"
    return result.structured

"""The workflow of a run: lookups, its lead or its steps, the calls after it, and its record in the journal."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace

from flotilla_kit.effects import faults
from flotilla_kit.telemetry.trace_context import TRACEPARENT

from ..durable.workflow import step, workflow, workflow_id
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..fleet.lookups import look_up
from ..journal.journal import Run, Span, Status, span_id_for
from ..mandates.guardrails import Trigger, merged
from ..run_request import REQUESTED_BY, RunRequest
from .agent_session import internal_failure
from .agent_task import AgentTask
from .calls_after import make_calls_after
from .context import RunContext
from .delegations import reserve_allowances
from .process import process
from .retries import run_agent
from .session_parts import turns_so_far
from .session_record import status_of
from .steps import run_steps

logger = logging.getLogger(__name__)


@workflow("run")
async def run(request: RunRequest) -> Status:
    """Run a request to its end, which is recorded in the journal."""
    return await _run_recorded(request, None)


@workflow("follow")
async def follow(request: RunRequest, text: str) -> Status:
    """One more turn of a lead whose run has ended; its result is the run's then."""
    return await _run_recorded(request, text)


def span_of(request: RunRequest) -> Span:
    """The span of a whole run; it says who asked for it, and by which traced request, if that is known."""
    attributes: JsonObject = {"model": request.model}
    if requester := request.setting.get(REQUESTED_BY):
        attributes[REQUESTED_BY] = requester
    if parent := request.setting.get(TRACEPARENT):
        attributes[TRACEPARENT] = parent
    return Span(request.run_id, None, "run", request.playbook, attributes, span_id_for(request.run_id))


async def _run_recorded(request: RunRequest, text: str | None) -> Status:
    journal = process().journal
    if admission := process().admission:
        await admission.wait(request.run_id, request.priority)
    record = Run(request.run_id, request.playbook, request.model, request.task, request.inputs)
    if text is not None and (earlier := await journal.run(request.run_id)):
        record.output = earlier.output  # which stays if the further turn fails
        record.started_at = earlier.started_at
    await journal.begin_run(record)
    span = await journal.begin(span_of(request))
    _note(span, request.guardrails)
    record.status = "interrupted"  # unless the block gets to its end
    try:
        async with process().contexts.use(request) as context:
            span.attributes["version"] = context.playbook.version
            lookups = await _lookups(context)
            output = context.guardrails.check("output", await _result(context, span, lookups, text))
            _note(span, output.triggered)
            record.output = output.require()
            await make_calls_after(context, span, lookups, text or request.task, output.value)
        record.status = "ok"
    except Failure as failure:
        record.status, record.error = status_of(failure), failure.as_dict()
    except Exception as error:
        logger.exception("run failed")
        record.status, record.error = "failed", internal_failure(error).as_dict()
    finally:
        faults.point("run_ends")
        await journal.end(span, record.status)
        await journal.end_run(record)
    return record.status


def _note(span: Span, triggered: Sequence[Trigger]) -> None:
    if triggered:
        span.attributes["guardrails"] = merged(span.attributes.get("guardrails"), triggered)


async def _result(context: RunContext, span: Span, lookups: JsonObject, text: str | None) -> JsonObject:
    lead = context.playbook.lead
    if lead is None:
        return await run_steps(context, span, lookups)
    return await (
        _lead(context, span, lead, lookups) if text is None else _follow_up(context, span, lead, lookups, text)
    )


async def _follow_up(context: RunContext, span: Span, lead: str, lookups: JsonObject, text: str) -> JsonObject:
    first = span_id_for(f"{context.request.run_id}/lead")

    name, turns = f"{workflow_id()}/lead", await step("before", turns_so_far, context, first)
    (allowance,) = await reserve_allowances(context, [(name, lead)])
    agent_task = AgentTask(context.request, lookups, span_id_for(name), span.span_id, None, lead, text, allowance, True)
    return await _lead_result(name, replace(agent_task, continues_span_id=first, prompt=text, turns_before=turns))


async def _lookups(context: RunContext) -> JsonObject:
    request, playbook = context.request, context.playbook
    context.resources.fleet.require_tools(context.resources.config.team(playbook), [playbook])

    async def answered() -> JsonObject:
        lookups = dict((await look_up(playbook, context.resources.fleet, request.inputs)).lookups)
        context.check_mandates(lookups)
        return lookups

    lookups = await step("lookups", answered)
    faults.point("run_begun")
    return lookups


async def _lead(context: RunContext, span: Span, lead: str, lookups: JsonObject) -> JsonObject:
    request = context.request
    inputs = "\n".join(f"- {name}: {json.dumps(value)}" for name, value in request.inputs.items())
    prompt = f"{request.task.strip()}\n\nInputs:\n{inputs}" if inputs else request.task.strip()
    name = f"{request.run_id}/lead"
    (allowance,) = await reserve_allowances(context, [(name, lead)])
    agent_task = AgentTask(request, lookups, span_id_for(name), span.span_id, None, lead, prompt, allowance, True)
    return await _lead_result(name, agent_task)


async def _lead_result(name: str, agent_task: AgentTask) -> JsonObject:
    """Run the lead; returns its structured result."""
    result = await (await run_agent.start(name, agent_task)).result()
    if result.failure:
        raise result.failure
    assert result.structured is not None, "a session without failure has what was asked for"
    return result.structured

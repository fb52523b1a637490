"""Runs a playbook by steps: each begins once those that it needs are done; the others run in parallel.

Steps are child workflows, `RUN/step-ID`; the order in which they were seen to end is recorded, and so is the playbook:
a run that is resumed uses the steps that it began with.
"""

import json
from typing import Any

from flotilla_kit.effects import faults
from flotilla_rehearsal import template
from pydantic import JsonValue

from ..config.fields import MAX_TASK_CHARS
from ..config.playbooks import Playbook, Step
from ..config.schemas import schema_problem
from ..config.steps import needed_steps
from ..durable.workflow import Handle, first_ended, step
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..journal.allowances import Allowance
from ..journal.journal import Span, span_id_for
from ..sessions.types import SessionResult
from .agent_task import AgentTask
from .context import RunContext
from .delegations import reserve_allowances
from .retries import run_agent
from .step_questions import ask_question, withdraw
from .step_result import StepQuestion, StepResult

_MAX_ATTEMPTS = 3  # of a step with `on_error: retry`


async def run_steps(context: RunContext, span: Span, lookups: JsonObject) -> JsonObject:
    """Run the steps of the run's playbook; returns its result.

    Raises:
        Failure: of the first step that failed and may not; `bad_template`, `invalid_output`: of the result.
    """

    async def recorded_playbook() -> JsonObject:
        return context.playbook.model_dump(mode="json", exclude_unset=True)

    playbook = Playbook.model_validate(await step("playbook", recorded_playbook))
    return await _Steps(context, span, lookups, playbook).run()


class _Steps:
    def __init__(self, context: RunContext, span: Span, lookups: JsonObject, playbook: Playbook) -> None:
        self._context, self._span, self._lookups, self._playbook = context, span, lookups, playbook
        self._running: dict[str, Handle[Any]] = {}
        self._done: dict[str, StepResult] = {}
        self._guarded: dict[str, JsonObject] = {}  # by step: attributes for its span

    async def run(self) -> JsonObject:
        failed: Failure | None = None
        while True:
            if not failed:
                await self._start_ready()
            if not self._running:
                break
            handle = await first_ended([*self._running.values()])
            (playbook_step,) = [
                playbook_step for playbook_step in self._playbook.steps if self._running.get(playbook_step.id) is handle
            ]
            self._done[playbook_step.id] = done = self._result_of(
                playbook_step, await self._running.pop(playbook_step.id).result()
            )
            faults.point("step_done")
            if done.failure and playbook_step.on_error != "continue" and not failed:
                failed = done.failure
                # Workers run to their end, so that nothing is left half done; open questions are withdrawn.
                for step_id in [
                    playbook_step.id
                    for playbook_step in self._playbook.steps
                    if playbook_step.approve and playbook_step.id in self._running
                ]:
                    await withdraw(self._name(step_id))
        if failed:
            raise failed
        return self._result()

    async def _start_ready(self) -> None:
        """Start what is ready, in the order of the file; steps that start together divide what is left evenly."""
        started = {*self._running, *self._done}
        ready = [
            playbook_step
            for playbook_step in self._playbook.steps
            if playbook_step.id not in started and {*playbook_step.needs} <= {*self._done}
        ]
        texts = {playbook_step.id: self._task_text(playbook_step) for playbook_step in ready}
        agent_steps = [
            playbook_step
            for playbook_step in ready
            if playbook_step.worker and isinstance(texts[playbook_step.id], str)
        ]
        allowances = await reserve_allowances(
            self._context, [(self._name(playbook_step.id), str(playbook_step.worker)) for playbook_step in agent_steps]
        )
        allowance_of = {
            playbook_step.id: allowance for playbook_step, allowance in zip(agent_steps, allowances, strict=True)
        }
        for playbook_step in ready:
            self._running[playbook_step.id] = await self._start(
                playbook_step, texts[playbook_step.id], allowance_of.get(playbook_step.id)
            )
        faults.point("steps_started")

    async def _start(
        self, playbook_step: Step, text: str | Failure, allowance: Allowance | Failure | None
    ) -> Handle[Any]:
        """`text`: its task or question, filled in, or why it cannot be."""
        name, request, parent_span_id = self._name(playbook_step.id), self._context.request, self._span.span_id
        unfilled = text if isinstance(text, Failure) else None
        task = text if isinstance(text, str) else playbook_step.task or playbook_step.approve or ""
        if not playbook_step.worker:
            summaries: JsonObject = {need: self._done[need].summary for need in playbook_step.needs}
            return await ask_question.start(
                name, StepQuestion(request, parent_span_id, playbook_step, task, summaries, unfilled)
            )
        allowance = unfilled or allowance
        assert allowance, "whoever has a task has asked for one"
        agent_task = AgentTask(
            *(request, self._lookups, span_id_for(name), parent_span_id, None, playbook_step.worker, task, allowance),
            output_schema=playbook_step.output,
            span_attributes={"step": playbook_step.id, **self._guarded.get(playbook_step.id, {})},
            max_attempts=_MAX_ATTEMPTS if playbook_step.on_error == "retry" else None,
        )
        return await run_agent.start(name, agent_task)

    def _result_of(self, playbook_step: Step, result: SessionResult | StepResult) -> StepResult:
        if isinstance(result, StepResult):
            return result
        return StepResult.from_session(
            playbook_step.id, result, _retry_note(result) if playbook_step.on_error == "retry" else ""
        )

    def _name(self, step_id: str) -> str:
        return f"{self._context.request.run_id}/step-{step_id}"

    def _task_text(self, playbook_step: Step) -> str | Failure:
        try:
            filled = self._render(
                playbook_step.task or playbook_step.approve, needed_steps(self._playbook, playbook_step)
            )
        except template.TemplateError as error:
            return Failure("bad_template", f"{error}.", "Correct the step in the playbook.")
        text = filled if isinstance(filled, str) else json.dumps(filled, ensure_ascii=False)
        if not text.strip() or len(text) > MAX_TASK_CHARS:
            message = f"Filled in, it has {len(text)} characters; it must have 1 to {MAX_TASK_CHARS}."
            return Failure("bad_template", message, "Read summaries, or less of the outputs.")
        checked = self._context.guardrails.check("input", text)
        self._guarded[playbook_step.id] = checked.attributes
        return checked.refusal or checked.value

    def _render(self, value: JsonValue, done: list[str]) -> Any:
        steps = {step_id: self._done[step_id].template_values for step_id in done}
        request = self._context.request
        values = {"task": request.task, "inputs": request.inputs, "lookups": self._lookups, "steps": steps}
        return template.render(value, values)  # pyright: ignore[reportArgumentType]  # a dict of JSON is JSON

    def _result(self) -> JsonObject:
        playbook, last = self._playbook, self._done[self._playbook.steps[-1].id]
        try:
            output = self._render(playbook.result, [*self._done]) if playbook.result else last.output
        except template.TemplateError as error:
            message = f"The result of {playbook.name}: {error}."
            raise Failure("bad_template", message, "Correct `result` in the playbook.") from error
        if playbook.output and (problem := schema_problem(output, playbook.output)):
            message = f"The result of {playbook.name}: {problem[:500]}"
            raise Failure("invalid_output", message, "" if output else last.summary)
        return {"summary": last.summary} if output is None else output


def _retry_note(result: SessionResult) -> str:
    changing = [str(call["tool"]).rpartition("__")[2] for call in result.side_effects if call["status"] != "denied"]
    if changing:
        return f" It was not tried again: it may have changed something ({', '.join(changing)})."
    count = result.failure.details.get("attempts", 1) if result.failure else 1
    return f" It was tried {count} times." if count != 1 else ""

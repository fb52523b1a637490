"""A run by steps: each begins once what it needs is done, so those without a path between them run side by side.

Steps are child workflows, `RUN/step-ID`; the order in which they were seen to end is recorded, and so is the playbook:
a run that is taken up again goes on with the steps that it began with.
"""

import json
from typing import Any

from flotilla_kit.effects import faults
from flotilla_rehearsal import template
from pydantic import JsonValue

from ..config.config import MAX_TASK_CHARS, Playbook, Step
from ..config.schemas import misfit
from ..config.steps import needed
from ..errors import Failure
from ..records.allowances import Allowance
from ..records.journal import Span, named
from ..sessions.types import SessionResult
from .attempts import agent
from .cases import Case, Job
from .delegations import shares
from .durable import Handle, first, step
from .kept import Said
from .questions import question, withdraw
from .work import Done, Work

_TRIES = 3  # of a step with `on_error: retry`


async def by_steps(case: Case, span: Span, lookups: Said) -> Said:
    """Work through the steps of the run's playbook; its result.

    Raises:
        Failure: of the first step that failed and may not; `bad_template`, `invalid_output`: of the result.
    """

    async def began_with() -> Said:
        return case.playbook.model_dump(mode="json", exclude_unset=True)

    playbook = Playbook.model_validate(await step("playbook", began_with))
    return await _Steps(case, span, lookups, playbook).run()


class _Steps:
    def __init__(self, case: Case, span: Span, lookups: Said, playbook: Playbook) -> None:
        self._case, self._span, self._lookups, self._playbook = case, span, lookups, playbook
        self._going: dict[str, Handle[Any]] = {}
        self._done: dict[str, Done] = {}

    async def run(self) -> Said:
        failed: Failure | None = None
        while True:
            if not failed:
                await self._begin()
            if not self._going:
                break
            ended = await first([*self._going.values()])
            (one,) = [one for one in self._playbook.steps if self._going.get(one.id) is ended]
            self._done[one.id] = done = self._ended(one, await self._going.pop(one.id).result())
            faults.point("step_done")
            if done.failure and one.on_error != "continue" and not failed:
                failed = done.failure
                # Workers come to their end, so that nothing is left half done; people are not asked in vain.
                for step_id in [one.id for one in self._playbook.steps if one.approve and one.id in self._going]:
                    await withdraw(self._name(step_id))
        if failed:
            raise failed
        return self._result()

    async def _begin(self) -> None:
        """Start what is ready, in the order of the file; what starts together shares evenly."""
        begun = {*self._going, *self._done}
        ready = [one for one in self._playbook.steps if one.id not in begun and {*one.needs} <= {*self._done}]
        texts = {one.id: self._text(one) for one in ready}
        working = [one for one in ready if one.worker and isinstance(texts[one.id], str)]
        held = await shares(self._case, [(self._name(one.id), str(one.worker)) for one in working])
        given = {one.id: share for one, share in zip(working, held, strict=True)}
        for one in ready:
            self._going[one.id] = await self._started(one, texts[one.id], given.get(one.id))
        faults.point("steps_started")

    async def _started(self, one: Step, text: str | Failure, share: Allowance | Failure | None) -> Handle[Any]:
        """`text`: its task or question, filled in, or why it cannot be."""
        name, order, above = self._name(one.id), self._case.order, self._span.span_id
        unclear = text if isinstance(text, Failure) else None
        said = text if isinstance(text, str) else one.task or one.approve or ""
        if not one.worker:
            summaries: Said = {need: self._done[need].summary for need in one.needs}
            return await question.start(name, Work(order, above, one, said, summaries, unclear))
        share = unclear or share
        assert share, "whoever has a task has asked for one"
        job = Job(
            *(order, self._lookups, named(name), above, None, one.worker, said, share),
            output=one.output,
            about={"step": one.id},
            tries=_TRIES if one.on_error == "retry" else None,
        )
        return await agent.start(name, job)

    def _ended(self, one: Step, result: SessionResult | Done) -> Done:
        if isinstance(result, Done):
            return result
        return Done.of(one.id, result, _tried(result) if one.on_error == "retry" else "")

    def _name(self, step_id: str) -> str:
        return f"{self._case.order.run_id}/step-{step_id}"

    def _text(self, one: Step) -> str | Failure:
        try:
            filled = self._filled(one.task or one.approve, needed(self._playbook, one))
        except template.TemplateError as error:
            return Failure("bad_template", f"{error}.", "Correct the step in the playbook.")
        text = filled if isinstance(filled, str) else json.dumps(filled, ensure_ascii=False)
        if not text.strip() or len(text) > MAX_TASK_CHARS:
            message = f"Filled in, it has {len(text)} characters; it must have 1 to {MAX_TASK_CHARS}."
            return Failure("bad_template", message, "Read summaries, or less of the outputs.")
        return text

    def _filled(self, value: JsonValue, done: list[str]) -> Any:
        steps = {step_id: self._done[step_id].context for step_id in done}
        order = self._case.order
        known = {"task": order.task, "inputs": order.inputs, "lookups": self._lookups, "steps": steps}
        return template.render(value, known)  # pyright: ignore[reportArgumentType]  # a dict of JSON is JSON

    def _result(self) -> Said:
        playbook, last = self._playbook, self._done[self._playbook.steps[-1].id]
        try:
            output = self._filled(playbook.result, [*self._done]) if playbook.result else last.output
        except template.TemplateError as error:
            message = f"The result of {playbook.name}: {error}."
            raise Failure("bad_template", message, "Correct `result` in the playbook.") from error
        if playbook.output and (problem := misfit(output, playbook.output)):
            message = f"The result of {playbook.name}: {problem[:500]}"
            raise Failure("invalid_output", message, "" if output else last.summary)
        return {"summary": last.summary} if output is None else output


def _tried(result: SessionResult) -> str:
    made = [str(call["tool"]).rpartition("__")[2] for call in result.done if call["status"] != "denied"]
    if made:
        return f" It was not tried again: it may have changed something ({', '.join(made)})."
    count = result.failure.details.get("attempts", 1) if result.failure else 1
    return f" It was tried {count} times." if count != 1 else ""

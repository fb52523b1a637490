"""`kill -9` at every place that a change passes: nothing happens twice, and nothing that was answered is lost.

The places are the ones that the server names (`flotilla_kit.effects.faults`), and before and after each commit. Each
step is taken by a process that is killed in it; the server that stays up sees to the rest.
"""

import asyncio
import os
from itertools import cycle, islice
from typing import Any

from ..caller import SETTLES_S, Caller, insisted
from ..harness import Harness
from ..process import Processes, Step
from ..proofs import FULL, some
from ..rule import Rule, rule_for_each
from ..server import Change, ServerUnderTest
from ..tokens import VICTIM

KILLS = 100
DRAWN = 5  # places of a step, unless proofs run in full
CALLER = "caller of victims"


def _where_processes_fork(server: ServerUnderTest) -> list[Change]:
    return server.changing_tools if hasattr(os, "fork") else []


def _places(passed: tuple[str, ...], name: str) -> list[str]:
    """Some of them once, in a full run each as often as makes `KILLS`."""
    return list(islice(cycle(passed), max(KILLS, len(passed)))) if FULL else list(some(passed, DRAWN, name))


async def _settled(harness: Harness, expected: int, what: str) -> None:
    """Wait until the effects are as many as they have to be, then see that no more come."""
    async with asyncio.timeout(SETTLES_S):
        while await harness.count() < expected:  # noqa: ASYNC110  another process may see to it
            await asyncio.sleep(0.02)
    assert await harness.count() == expected, f"{what}: an effect happened twice"


@rule_for_each(_where_processes_fork)
async def a_change_killed_anywhere_happens_once_when_repeated(harness: Harness, sample: Change) -> None:
    """Whoever heard no answer makes the same call again, as a resumed session does."""
    unit = await harness.unit(sample)
    processes = await harness.processes()
    passed = await _dry_run(harness, processes, sample)
    assert passed, f"{sample.tool} passes no place that could be seen"
    for place in _places(passed, sample.tool):
        expected = await harness.count() + unit
        clerk, arguments, use = harness.clerk(sample, subject=CALLER), harness.fresh(sample), f"k{harness.number()}"
        if sample.waits:
            await harness.approve(await insisted(clerk, sample.tool, arguments, use))
        await _killed(processes, Step(clerk.token, sample.tool, arguments, use, place))
        first = await harness.perform(clerk, sample, arguments, use)
        again = await insisted(clerk, sample.tool, arguments, use)
        assert again.code == "ok" and _ids(again.data) == _ids(first.data), f"{place}: {again.text[:300]}"
        await _settled(harness, expected, f"killed at {place}")
    await harness.verify()


@rule_for_each(_where_processes_fork)
async def an_approval_killed_anywhere_is_used_once(harness: Harness, sample: Change) -> None:
    """In the request, the decision and the use: none is lost once it is said, and one is worth one effect.

    Request and decision are the kit's own: in `make test` the first tool's stand for all, and each has its use.
    """
    unit = await harness.unit(sample)
    processes = await harness.processes()
    first = sample is harness.server.changing_tools[0]
    for step in ("ask", "decide", "use") if FULL or first else ("use",):
        for place in ["", *_places(await _dry_run(harness, processes, sample, step), f"{sample.tool} {step}")]:
            expected = await harness.count() + unit
            case = await _Approved.up_to(harness, sample, step)
            if place:
                await _killed(processes, case.step(step, place))
            await case.finish(f"killed at {place} of {step}" if place else "")
            await _settled(harness, expected, f"killed at {place} of {step}")
    await harness.verify()


class _Approved:
    """A change that waits for an approval, taken up to one of its steps."""

    def __init__(self, harness: Harness, sample: Change) -> None:
        self._harness, self._sample = harness, sample
        self._run = f"run_{harness.number()}"
        self.clerk: Caller = harness.clerk(sample, waits=True, subject=CALLER, run=self._run)
        self._arguments, self._use = harness.fresh(sample), f"k{harness.number()}"
        self._approval_id = ""

    @classmethod
    async def up_to(cls, harness: Harness, sample: Change, step: str) -> "_Approved":
        case = cls(harness, sample)
        if step != "ask":
            await case._ask()
        if step == "use":
            assert (await harness.decide(case._approval_id)).code == "ok"
        return case

    def step(self, step: str, place: str) -> Step:
        if step == "decide":
            decision = {"approval_id": self._approval_id, "decision": "approve"}
            return Step(self._harness.issuers.approver(VICTIM), "decide_approval", decision, "", place)
        return Step(self.clerk.token, self._sample.tool, self._arguments, self._use, place)

    async def _ask(self) -> dict[str, Any]:
        asked = {"tool": self._sample.tool, "arguments": self._arguments, "tool_use_id": self._use}
        answer = await insisted(self.clerk, "request_approval", asked)
        assert answer.code == "ok", answer.text
        approval: dict[str, Any] = answer.data["approval"] or {}
        self._approval_id = approval.get("approval_id", self._approval_id)
        return {"status": answer.data["status"], **approval}

    async def finish(self, what: str) -> None:
        """Go on as whoever lost an answer does: ask where it stands, decide if nobody has, and make the call."""
        known = self._approval_id
        call = await insisted(self.clerk, self._sample.tool, self._arguments, self._use)
        if call.code == "approval_required":
            self._approval_id = call.data["details"]["approval_id"]
            assert not known or known == self._approval_id, f"{what}: the approval was lost"
            assert (await self._harness.decide(self._approval_id)).code == "ok", what
            call = await insisted(self.clerk, self._sample.tool, self._arguments, self._use)
        assert call.code == "ok", f"{what}: {call.text[:300]}"
        other = await self.clerk.call(self._sample.tool, self._arguments, use="another session")
        refused = other.code == "approval_used" or other.data.get("retryable")
        assert other.code != "ok" and refused, f"{what}: used again: {other.text[:300]}"


async def _dry_run(harness: Harness, processes: Processes, sample: Change, step: str = "") -> tuple[str, ...]:
    """The places of a call, or of one step of an approved one, which is taken to its end."""
    if step:
        taken = (await _Approved.up_to(harness, sample, step)).step(step, "")
    else:
        clerk, arguments = harness.clerk(sample, subject=CALLER), harness.fresh(sample)
        if sample.waits:
            await harness.approve(await insisted(clerk, sample.tool, arguments, "dry"))
        taken = Step(clerk.token, sample.tool, arguments, "dry")
    passed = await processes.run(taken)
    assert passed.exit_code == 0, f"the step ends with {passed.exit_code} unharmed"
    return passed.places


async def _killed(processes: Processes, step: Step) -> None:
    """The kill must have hit before the step was done, or it does not count.

    A step that is refused for now, because the last round's effect is being settled, is taken again.
    """
    async with asyncio.timeout(SETTLES_S):
        wait_s, passed = 0.1, await processes.run(step)
        while not passed.killed and '"retryable": true' in passed.answer:
            await asyncio.sleep(wait_s)
            wait_s, passed = 2 * wait_s, await processes.run(step)  # each try is a process
    assert passed.killed, f"{step.place} was not passed again: {passed.answer}"


def _ids(answer: dict[str, Any]) -> dict[str, Any]:
    """What of an answer stays as it is: an outcome can become known meanwhile."""
    return {name: value for name, value in answer.items() if name.endswith("_id")}


RULES: list[Rule] = [
    a_change_killed_anywhere_happens_once_when_repeated,
    an_approval_killed_anywhere_is_used_once,
]

"""An approval is of exactly one call by exactly who asked, decided by somebody else, in time, and good once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...effects import digest
from ..caller import Caller
from ..harness import Harness
from ..proofs import share
from ..rule import rule, rule_for_each, rule_where
from ..server import Change
from ..tokens import CLERK, granted
from ..values import EXTRA
from ..wire import Answer
from .effects import KEY, changed, takes_key

RACERS = 100
AT_ONCE_H = 1e-7  # expires within a millisecond


@dataclass
class Asked:
    """A call that waits for an approval."""

    harness: Harness
    sample: Change
    clerk: Caller
    run: str
    arguments: dict[str, Any]
    approval_id: str = ""

    async def call(self, use: str, by: Caller | None = None, **changes: Any) -> Answer:
        return await (by or self.clerk).call(self.sample.tool, {**self.arguments, **changes}, use=use)

    async def decide(self, decision: str = "approve", name: str = "ada") -> Answer:
        return await self.harness.decide(self.approval_id, decision, name)


async def asked(harness: Harness, sample: Change, *, approved: bool = False) -> Asked:
    """Ask by the call itself: it has to wait, says for what, and nothing happens."""
    run = f"run_{harness.number()}"
    case = Asked(harness, sample, harness.clerk(sample, waits=True, run=run), run, harness.fresh(sample))
    async with harness.unchanged():
        answer = await case.call("first")
        assert answer.code == "approval_required", f"it does not wait: {answer.text}"
        details = answer.data["details"]
        assert set(details) >= {"approval_id", "facts", "expires_at"}, details
        case.approval_id = details["approval_id"]
        if approved:
            assert (await case.decide()).code == "ok"
    return case


@rule_for_each(lambda server: server.changing_tools)
async def what_waits_happens_once_it_is_approved(harness: Harness, sample: Change) -> None:
    """The request, asked for by the call or beforehand, is the same; the approver sees who, what and the facts."""
    unit = await harness.unit(sample)
    case = await asked(harness, sample)
    beforehand = {"tool": sample.tool, "arguments": case.arguments, "tool_use_id": "first"}
    answer = await case.clerk.call("request_approval", beforehand)
    assert answer.data["status"] == "pending" and answer.data["approval"]["approval_id"] == case.approval_id
    seen = (await harness.approver().call("get_approval", {"approval_id": case.approval_id})).data
    assert (seen["requester"], seen["run"], seen["tool"], seen["state"]) == (CLERK, case.run, sample.tool, "pending")
    assert {name: seen["arguments"][name] for name in case.arguments if name != KEY} == {
        name: value for name, value in case.arguments.items() if name != KEY
    }
    before = await harness.count()
    assert (await case.decide()).code == "ok" and await harness.count() == before
    done = await case.call("first")
    assert done.code == "ok" and await harness.count() - before == unit, done.text
    seen = (await harness.approver().call("get_approval", {"approval_id": case.approval_id})).data
    assert (seen["state"], seen["decided_by"]) == ("consumed", "ada")


@rule_for_each(lambda server: [sample for sample in server.changes if sample.waits])
async def the_servers_own_rule_makes_it_wait(harness: Harness, sample: Change) -> None:
    """Without a word of the mandate, and with every key there is."""
    async with harness.unchanged():
        for key in ({}, {KEY: "own"} if takes_key(harness, sample) else {}):
            answer = await harness.clerk(sample).call(sample.tool, {**harness.fresh(sample), **key}, use="own")
            assert answer.code == "approval_required", answer.text


@rule_for_each(lambda server: server.changing_tools)
async def an_approval_is_of_exactly_those_arguments(harness: Harness, sample: Change) -> None:
    """Each one changed in turn while an approval waits to be used: no effect; the approved call still has its own."""
    unit = await harness.unit(sample)
    case = await asked(harness, sample, approved=True)
    heard: list[str] = []
    async with harness.unchanged():
        for number, other in enumerate(changed(harness, sample, case.arguments)):
            if digest(other) == digest(case.arguments):
                continue
            answer = await case.clerk.call(sample.tool, other, use=f"changed {number}")
            assert answer.code != "ok", f"{other} has the approval of {case.arguments}"
            heard.append(answer.code)
        for extra in EXTRA:
            assert (await case.call("extra", **extra)).code == "invalid_arguments"
    assert "approval_mismatch" in heard or not heard, f"nobody hears of the other arguments: {heard}"
    before = await harness.count()
    assert (await case.call("exact")).code == "ok" and await harness.count() - before == unit


@rule_for_each(lambda server: server.changing_tools)
async def an_approval_is_good_once(harness: Harness, sample: Change) -> None:
    """By another tool-use id, another key or none: `approval_used`; by its own the recorded outcome; no effect."""
    case = await asked(harness, sample, approved=True)
    done = await case.call("first")
    assert done.code == "ok", done.text
    keys: list[Mapping[str, Any]] = [{}, *({KEY: key} for key in ("a", "b") if takes_key(harness, sample))]
    async with harness.unchanged():
        for number, key in enumerate(keys):
            for use in ("", f"other {number}"):
                answer = await case.call(use, **key)
                assert answer.code == "approval_used", f"{key} {use}: {answer.text[:300]}"
        again = await case.call("first")
        assert (again.code, again.data) == ("ok", done.data), again.text
        for decision in ("approve", "reject"):
            assert (await case.decide(decision, "grace")).code == "approval_decided"


@rule_for_each(lambda server: server.changing_tools)
async def of_many_who_use_an_approval_at_once_one_has_the_effect(harness: Harness, sample: Change) -> None:
    """Each by a key of its own, and some by none."""
    unit = await harness.unit(sample)
    case = await asked(harness, sample, approved=True)
    before = await harness.count()
    uses = [f"racer {number}" if number % 4 else "" for number in range(share(RACERS))]
    answers = await asyncio.gather(*(case.call(use) for use in uses))
    assert [answer.code for answer in answers].count("ok") == 1, [answer.code for answer in answers]
    assert await harness.count() - before == unit, "more than one had the effect"
    others = [answer for answer in answers if answer.code not in ("ok", "approval_used")]
    assert all(answer.data.get("retryable") for answer in others), [answer.text[:200] for answer in others]


@rule_for_each(lambda server: server.changing_tools)
async def nobody_else_can_use_an_approval(harness: Harness, sample: Change) -> None:
    """Another worker, another run, none, one without the grant, and whoever approved it."""
    case = await asked(harness, sample, approved=True)
    others = {
        "another worker": harness.clerk(sample, waits=True, run=case.run, subject="colleague"),
        "another run": harness.clerk(sample, waits=True, run=f"{case.run}b"),
        "no run": harness.clerk(sample, waits=True, run=""),
        "no grant": harness.worker("get_approval", run=case.run),
        "the approver": harness.approver(),
    }
    async with harness.unchanged():
        for who, caller in others.items():
            answer = await case.call("first", by=caller)
            assert answer.code != "ok", f"{who} used it"
            mine = answer.data.get("details", {}).get("approval_id")
            assert mine != case.approval_id, f"{who} is told of it"
            seen = await caller.call("get_approval", {"approval_id": case.approval_id})
            assert who in ("the approver", "no grant") or seen.code == "not_found", f"{who} sees it: {seen.text}"
    assert (await case.call("first")).code == "ok"


@rule_for_each(lambda server: server.changing_tools)
async def who_asks_does_not_decide(harness: Harness, sample: Change) -> None:
    """Not by an approver's token of the same name, and no worker by any grant."""
    case = await asked(harness, sample)
    yes = {"approval_id": case.approval_id, "decision": "approve"}
    deciding = harness.worker(*harness.tools, "decide_approval", "list_approvals", run=case.run)
    async with harness.unchanged():
        assert (await case.decide(name=CLERK)).code == "self_approval"
        assert (await deciding.call("decide_approval", yes)).code == "unknown_tool"
        assert (await harness.approver().call("decide_approval", {**yes, "approval_id": "apr_" + "0" * 20})).code == (
            "not_found"
        )
        assert (
            await harness.approver().call("decide_approval", {**yes, "decision": "yes"})
        ).code == "invalid_arguments"
        assert (await case.call("first")).code == "approval_required"


@rule_for_each(lambda server: server.changing_tools)
async def what_was_refused_or_withdrawn_does_not_happen(harness: Harness, sample: Change) -> None:
    """Refused before it was approved, or taken back after; and no later word changes it."""
    for approved in (False, True):
        case = await asked(harness, sample, approved=approved)
        async with harness.unchanged():
            assert (await case.decide("reject")).code == "ok"
            for use in ("first", "other", ""):
                assert (await case.call(use)).code == "approval_rejected"
            assert (await case.decide("approve", "grace")).code == "approval_decided"
            assert (await case.call("first")).code == "approval_rejected"


@rule_for_each(lambda server: server.changing_tools)
async def an_approval_that_was_not_used_in_time_is_none(harness: Harness, sample: Change) -> None:
    """Asked for at a server where it lasts a millisecond: it is neither given nor used after that."""
    run, arguments = f"run_{harness.number()}", harness.fresh(sample)
    clerk = harness.clerk(sample, waits=True, run=run, subject="hasty")
    async with harness.unchanged():
        async with harness.beside(approval_expires_hours=AT_ONCE_H, mandate=clerk.token) as client:
            asked_for = {"tool": sample.tool, "arguments": arguments}
            approval = (await client.call_tool("request_approval", asked_for)).structured_content
        assert approval is not None
        harness.sent["hasty"] += 1
        case = Asked(harness, sample, clerk, run, arguments, approval["approval"]["approval_id"])
        await asyncio.sleep(0.01)
        assert (await case.decide()).code == "approval_decided"
        assert (await case.call("first")).code == "approval_expired"
        asked_again = await case.call("first")
        assert asked_again.code == "approval_required", asked_again.text
        assert asked_again.data["details"]["approval_id"] != case.approval_id


@rule_where(lambda server: server.changes)
async def a_run_has_few_requests_open(harness: Harness) -> None:
    """People who are asked more often than ten times by one run only nod."""
    sample = next((sample for sample in harness.server.changes if callable(sample.arguments)), None)
    first = harness.server.changes[0]
    arguments = harness.fresh(first)
    wanted = [harness.fresh(sample) for _ in range(20)] if sample else changed(harness, first, arguments)
    clerk = harness.clerk(sample or first, waits=True)
    async with harness.unchanged():
        heard = [(await clerk.call((sample or first).tool, each, use=f"{n}")).code for n, each in enumerate(wanted)]
    assert heard.count("approval_required") <= 10, heard


@rule_where(lambda server: server.changes)
async def the_owner_cannot_decide_by_a_tool(harness: Harness) -> None:
    """A model that speaks for the owner could call it; a person has a sub-command."""
    async with harness.beside(mandate=None) as owner:
        for tool in ("decide_approval", "list_approvals", "request_approval", "get_approval"):
            result = await owner.call_tool(tool, {}, raise_on_error=False)
            assert "unknown_tool" in str(result.content), result.content


@rule
async def approvals_can_be_required_of_what_has_an_effect_only(harness: Harness) -> None:
    """A read that was granted under an approval could never be approved: it is refused."""
    for sample in harness.server.reads[:1]:
        caller = harness.worker(granted(sample.tool, approval="required"))
        assert (await caller.call(sample.tool, harness.fresh(sample))).code == "out_of_bounds"


RULES = [
    what_waits_happens_once_it_is_approved,
    the_servers_own_rule_makes_it_wait,
    an_approval_is_of_exactly_those_arguments,
    an_approval_is_good_once,
    of_many_who_use_an_approval_at_once_one_has_the_effect,
    nobody_else_can_use_an_approval,
    who_asks_does_not_decide,
    what_was_refused_or_withdrawn_does_not_happen,
    an_approval_that_was_not_used_in_time_is_none,
    a_run_has_few_requests_open,
    the_owner_cannot_decide_by_a_tool,
    approvals_can_be_required_of_what_has_an_effect_only,
]

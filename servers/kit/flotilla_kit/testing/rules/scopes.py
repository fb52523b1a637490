"""A mandate's scope narrows records: what is of others does not exist, by whatever way a tool could reach for it."""

from typing import Any

from ..caller import shown
from ..harness import Harness
from ..rule import rule, rule_for_each, rule_where
from ..server import Arguments, Change, Sample, ServerUnderTest
from ..tokens import granted
from ..values import not_quite
from ..wire import ERAS, Answer, era_of
from .paging import paging
from .visibility import twin


def _reaching(server: ServerUnderTest) -> list[Sample]:
    return [sample for sample in server.samples if sample.out_of_scope]


def _names_one_record(server: ServerUnderTest, changes: Arguments) -> bool:
    """Whether they change one argument to another record's id."""
    ids = [name.endswith(("_id", "name")) and isinstance(value, str) for name, value in changes.items()]
    return ids == [True] and not set(changes) & set(server.scope)


def _naming(server: ServerUnderTest) -> list[Sample]:
    return [s for s in server.samples if any(_names_one_record(server, changes) for changes in s.out_of_scope)]


def told(harness: Harness, answer: Answer, said: object) -> list[str]:
    """The canaries in an answer that the call did not say itself."""
    return [canary for canary in harness.server.canaries if canary in answer.text and canary not in str(said)]


@rule_for_each(_reaching)
async def records_out_of_scope_do_not_exist(harness: Harness, sample: Sample) -> None:
    """They are refused or absent, in both eras; nothing of them is told, and nothing happens to them."""
    caller = harness.worker(sample.tool, "request_approval")
    async with harness.unchanged():
        for changes in sample.out_of_scope:
            arguments = {**harness.fresh(sample), **changes}
            for era in ERAS:
                answer = await caller.call(sample.tool, arguments, use=f"reach {era}", era=era)
                assert not (leaked := told(harness, answer, arguments)), f"{changes}: {leaked} in {answer.text[:500]}"
                if isinstance(sample, Change):
                    assert answer.code not in ("ok", "approval_required"), f"{changes}: {answer.text[:500]}"
            if isinstance(sample, Change):
                asked = {"tool": sample.tool, "arguments": arguments}
                answer = await caller.call("request_approval", asked)
                assert answer.code != "ok" and not told(harness, answer, asked), f"asked: {answer.text[:500]}"


@rule_for_each(_naming)
async def a_refusal_says_the_same_of_what_is_out_of_scope_and_of_what_is_not_there(
    harness: Harness, sample: Sample
) -> None:
    """Else a caller finds out which records others have."""
    caller = harness.worker(sample.tool)
    for changes in sample.out_of_scope:
        if not _names_one_record(harness.server, changes):
            continue
        ((name, value),) = changes.items()
        absent = twin(value)
        said: list[str] = []
        for wanted in (value, absent):
            arguments = {**harness.fresh(sample), name: wanted}
            answer = await caller.call(sample.tool, arguments, use=f"oracle {wanted}")
            said.append(answer.text.replace(wanted, "WANTED"))
        assert said[0] == said[1], f"{changes} shows that it is there"


@rule_for_each(_reaching)
async def without_the_scope_those_records_are_there(harness: Harness, sample: Sample) -> None:
    """Or the others would prove nothing: a worker for all records meets each of them."""
    caller = harness.worker(granted(sample.tool, approval="required" if isinstance(sample, Change) else ""), scope={})
    for changes in sample.out_of_scope:
        arguments = {**harness.fresh(sample), **changes}
        answer = await caller.call(sample.tool, arguments, use="unscoped")
        assert answer.code in ("ok", "approval_required"), f"{changes} is not there at all: {answer.text[:500]}"


@rule_where(lambda server: server.canaries)
async def canaries_are_told_to_whom_has_no_scope(harness: Harness) -> None:
    """At least one of them by some sample, or looking for them would prove nothing."""
    texts: list[str] = []
    for sample in _reaching(harness.server):
        caller = harness.worker(
            granted(sample.tool, approval="required" if isinstance(sample, Change) else ""), scope={}
        )
        for changes in sample.out_of_scope:
            texts.append((await caller.call(sample.tool, {**harness.fresh(sample), **changes}, use="canary")).text)
    assert any(canary in text for canary in harness.server.canaries for text in texts), "no canary is ever answered"


@rule_where(lambda server: server.scope)
async def the_scope_bounds_every_argument_that_names_it(harness: Harness) -> None:
    """Fixed in the list, required in the call, and refused as anything else."""
    async with harness.unchanged():
        for sample in harness.server.samples:
            properties: dict[str, Any] = harness.tools[sample.tool]["inputSchema"].get("properties", {})
            for key in [key for key in harness.server.scope if key in properties]:
                value = harness.server.scope[key]
                caller, good = harness.worker(sample.tool), harness.fresh(sample)
                for era in ERAS:
                    listed = shown(await caller.listed(era=era))[sample.tool]["inputSchema"]
                    assert listed["properties"][key]["const"] == value and key in listed["required"]
                for number, other in enumerate([*not_quite(value), None]):
                    arguments = {**good, key: other}
                    answer = await caller.call(sample.tool, arguments, use=f"s{number}", era=era_of(number))
                    assert answer.code in ("invalid_arguments", "out_of_bounds"), f"{other!r}: {answer.text[:300]}"
                left = {name: said for name, said in good.items() if name != key}
                answer = await caller.call(sample.tool, left, use="left out")
                assert answer.code in ("invalid_arguments", "out_of_bounds"), f"{key} left out: {answer.text[:300]}"


@rule_where(lambda server: server.scope and server.canaries)
async def a_cursor_of_others_shows_nothing_of_theirs(harness: Harness) -> None:
    """A page of everybody's records, continued within the scope."""
    for sample in paging(harness):
        everybody, caller = harness.worker(sample.tool, scope={}), harness.worker(sample.tool)
        everything: Arguments = {}
        for changes in (everything, *sample.out_of_scope):
            arguments = {**harness.fresh(sample), **changes, "limit": 1}
            cursor = (await everybody.call(sample.tool, arguments)).data.get("next_cursor")
            if cursor is not None:
                answer = await caller.call(sample.tool, {**harness.fresh(sample), "limit": 100, "cursor": cursor})
                assert not (leaked := told(harness, answer, cursor)), f"{leaked} in {answer.text[:500]}"


@rule
async def a_scope_that_the_server_does_not_know_is_refused(harness: Harness) -> None:
    """It would narrow nothing."""
    caller = harness.worker(*harness.tools, subject="", scope={"no_such_key_here": "x"})
    sample = harness.server.samples[0]
    answer = await caller.call(sample.tool, harness.fresh(sample))
    assert answer.status == 401, answer.text


RULES = [
    records_out_of_scope_do_not_exist,
    a_refusal_says_the_same_of_what_is_out_of_scope_and_of_what_is_not_there,
    without_the_scope_those_records_are_there,
    canaries_are_told_to_whom_has_no_scope,
    the_scope_bounds_every_argument_that_names_it,
    a_cursor_of_others_shows_nothing_of_theirs,
    a_scope_that_the_server_does_not_know_is_refused,
]

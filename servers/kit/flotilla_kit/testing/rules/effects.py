"""A change happens once for each key, however often and by however many it is asked for."""

import asyncio
from typing import Any

from ..harness import Harness
from ..proofs import share
from ..rule import rule_for_each
from ..server import Change
from ..values import other_values

KEY = "idempotency_key"
CALLERS = 100
NO_KEYS: tuple[Any, ...] = ("", "apr_" + "0" * 20, 7, "x" * 256, [], {})


def changed(harness: Harness, sample: Change, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """The arguments with each one changed to other values that the tool's schema allows, and left out."""
    schema: dict[str, Any] = harness.tools[sample.tool]["inputSchema"]
    others: list[dict[str, Any]] = []
    for name, value in arguments.items():
        others += [{**arguments, name: other} for other in other_values(schema["properties"][name], value)]
        if name not in schema.get("required", []) and schema["properties"][name].get("default") != value:
            others.append({key: said for key, said in arguments.items() if key != name})
    return others


def takes_key(harness: Harness, sample: Change) -> bool:
    return KEY in harness.tools[sample.tool]["inputSchema"].get("properties", {})


@rule_for_each(lambda server: server.changes)
async def a_repeat_answers_the_same_and_does_nothing(harness: Harness, sample: Change) -> None:
    """By the caller's tool-use id, and by an idempotency_key where the tool takes one, whatever else differs."""
    unit = await harness.unit(sample)
    for keyed in (False, True) if takes_key(harness, sample) else (False,):
        arguments = {**harness.fresh(sample), **({KEY: f"key-{harness.number()}"} if keyed else {})}
        clerk, before = harness.clerk(sample), await harness.count()
        first = await harness.perform(clerk, sample, arguments, "one")
        assert await harness.count() - before == unit
        async with harness.unchanged():
            for use in ("one", *(("two", "") if keyed else ())):
                again = await clerk.call(sample.tool, arguments, use=use)
                assert (again.code, again.data) == ("ok", first.data), f"a repeat is answered {again.text[:500]}"


@rule_for_each(lambda server: server.changes)
async def a_key_is_good_for_one_set_of_arguments(harness: Harness, sample: Change) -> None:
    """Every argument changed in turn, under the key of what was done: `idempotency_mismatch`, and no effect."""
    for keyed in (False, True) if takes_key(harness, sample) else (False,):
        key = {KEY: f"key-{harness.number()}"} if keyed else {}
        arguments, clerk = harness.fresh(sample), harness.clerk(sample)
        await harness.perform(clerk, sample, {**arguments, **key}, "one")
        heard: list[str] = []
        async with harness.unchanged():
            for other in changed(harness, sample, arguments):
                answer = await clerk.call(sample.tool, {**other, **key}, use="one")
                assert answer.code != "ok", f"{other} is answered by the key of {arguments}"
                heard.append(answer.code)
        assert "idempotency_mismatch" in heard or not heard, f"nobody hears of the key: {heard}"


@rule_for_each(lambda server: server.changes)
async def of_many_at_once_by_one_key_one_has_the_effect(harness: Harness, sample: Change) -> None:
    """The others hear its outcome, or that they can try again."""
    unit, callers = await harness.unit(sample), share(CALLERS)
    arguments, clerk, before = harness.fresh(sample), harness.clerk(sample), await harness.count()
    if sample.waits:
        await harness.approve(await clerk.call(sample.tool, arguments, use="one"))
    answers = await asyncio.gather(*(clerk.call(sample.tool, arguments, use="one") for _ in range(callers)))
    assert await harness.count() - before == unit, "more than one had the effect, or none"
    assert any(answer.code == "ok" for answer in answers)
    others = [answer for answer in answers if answer.code != "ok"]
    assert all(answer.data.get("retryable") for answer in others), [answer.text[:200] for answer in others]
    again = await clerk.call(sample.tool, arguments, use="one")
    assert again.code == "ok" and await harness.count() - before == unit


@rule_for_each(lambda server: server.changes)
async def keys_are_of_a_caller_and_a_run(harness: Harness, sample: Change) -> None:
    """The same key elsewhere is another effect: nobody can take, or find out, what others did by theirs."""
    unit, before = await harness.unit(sample), await harness.count()
    run = f"run_{harness.number()}"
    for caller in (
        harness.clerk(sample, run=run),
        harness.clerk(sample, run=f"{run}b"),
        harness.clerk(sample, run=run, subject="colleague"),
    ):
        await harness.perform(caller, sample, harness.fresh(sample), "shared")
    assert await harness.count() - before == 3 * unit


@rule_for_each(lambda server: server.changes)
async def a_change_without_any_key_does_not_happen(harness: Harness, sample: Change) -> None:
    """Nobody could repeat it safely. (Where it waits for an approval, that is its key.)"""
    async with harness.unchanged():
        answer = await harness.clerk(sample).call(sample.tool, harness.fresh(sample))
        assert answer.code == ("approval_required" if sample.waits else "idempotency_key_required"), answer.text
        if takes_key(harness, sample):
            for key in NO_KEYS:
                answer = await harness.clerk(sample).call(sample.tool, {**harness.fresh(sample), KEY: key}, use="u")
                assert answer.code == "invalid_arguments", f"{key!r:.40}: {answer.text[:300]}"


RULES = [
    a_repeat_answers_the_same_and_does_nothing,
    a_key_is_good_for_one_set_of_arguments,
    of_many_at_once_by_one_key_one_has_the_effect,
    keys_are_of_a_caller_and_a_run,
    a_change_without_any_key_does_not_happen,
]

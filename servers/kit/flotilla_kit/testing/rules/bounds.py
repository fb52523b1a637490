"""A mandate's bounds hold on what the tool's body receives: against coercion, absence, defaults and look-alikes."""

from typing import Any

from ..caller import shown
from ..harness import Harness
from ..proofs import FULL, some
from ..rule import rule_for_each
from ..server import Change, Sample
from ..tokens import granted
from ..values import EXTRA, not_quite, parts_of
from ..wire import ERAS, era_of

REFUSED = {"invalid_arguments", "out_of_bounds"}
DRAWN = 8  # values for an argument, unless proofs run in full
MET = {"ok", "approval_required"}


@rule_for_each(lambda server: server.samples)
async def bounds_hold_against_all_that_is_not_quite_the_value(harness: Harness, sample: Sample) -> None:
    """Each argument in turn is fixed to the sample's, and sent as everything that some layer might take for it."""
    good = harness.fresh(sample)
    for position, (name, value) in enumerate(good.items()):
        caller = harness.worker(granted(sample.tool, {name: {"const": value}}))
        async with harness.unchanged():
            for number, other in enumerate(some(not_quite(value), DRAWN, f"{sample.tool} {name}")):
                arguments = {**good, name: other}
                answer = await caller.call(sample.tool, arguments, use=f"n{number}", era=era_of(number))
                assert answer.code in REFUSED, f"{name} is bound to {value!r}, and {other!r} is {answer.text[:300]}"
            left = {key: said for key, said in good.items() if key != name}
            answer = await caller.call(sample.tool, left, use="left out")
            default = _properties(harness, sample)[name].get("default")
            assert answer.code in REFUSED or default == value, f"{name} left out is {answer.text[:300]}"
            for extra in EXTRA if FULL or not position else ():
                answer = await caller.call(sample.tool, {**good, **extra}, use="extra")
                assert answer.code == "invalid_arguments", f"{extra}: {answer.text[:300]}"


@rule_for_each(lambda server: server.samples)
async def bounds_hold_for_defaults(harness: Harness, sample: Sample) -> None:
    """What the caller leaves out is what the tool's body gets for it, and so is bounded too."""
    for name, schema in _properties(harness, sample).items():
        bound = _beyond(schema)
        if bound is None or name in sample.nth(0):
            continue
        caller = harness.worker(granted(sample.tool, {name: bound}))
        async with harness.unchanged():
            answer = await caller.call(sample.tool, harness.fresh(sample), use="default")
            assert answer.code in REFUSED, f"{name} is bound to {bound}, and its default is {answer.text[:300]}"


@rule_for_each(lambda server: server.samples)
async def a_call_within_its_bounds_is_answered_and_listed_so(harness: Harness, sample: Sample) -> None:
    """Or refusing everything would do; and a model sees what it is bound to."""
    arguments = harness.fresh(sample)
    bounds = {name: {"const": value} for name, value in arguments.items()}
    for era in ERAS:
        caller = harness.worker(granted(sample.tool, bounds))
        answer = await caller.call(sample.tool, arguments, use=f"within {era}", era=era)
        assert answer.code in MET, f"within its bounds: {answer.text[:300]}"
        listed = shown(await caller.listed(era=era))[sample.tool]["inputSchema"]
        assert {name: listed["properties"][name]["const"] for name in bounds} == arguments
        assert set(bounds) <= set(listed.get("required", []))
        arguments = harness.fresh(sample) if callable(sample.arguments) else arguments
        bounds = {name: {"const": value} for name, value in arguments.items()}


@rule_for_each(lambda server: server.changing_tools)
async def no_approval_is_asked_for_beyond_the_bounds(harness: Harness, sample: Change) -> None:
    """What could not be done once approved is not put before a person."""
    arguments = harness.fresh(sample)
    bounds = {name: {"const": value} for name, value in arguments.items()}
    caller = harness.worker(granted(sample.tool, bounds, approval="required"), "request_approval")
    async with harness.unchanged():
        for name, value in arguments.items():
            for other in not_quite(value):
                asked = {"tool": sample.tool, "arguments": {**arguments, name: other}}
                answer = await caller.call("request_approval", asked)
                assert answer.code in REFUSED, f"{name} is bound to {value!r}, and {other!r} is {answer.text[:300]}"
        for name in ("decide_approval", "request_approval", "no_such_tool", f"{sample.tool} ", sample.tool.upper()):
            answer = await caller.call("request_approval", {"tool": name, "arguments": arguments})
            assert answer.code == "unknown_tool", f"{name}: {answer.text[:300]}"
        answer = await caller.call("request_approval", {"tool": sample.tool, "arguments": arguments})
        assert answer.code == "ok" and answer.data["status"] == "pending", answer.text


def _properties(harness: Harness, sample: Sample) -> dict[str, Any]:
    return harness.tools[sample.tool]["inputSchema"].get("properties", {})


def _beyond(schema: dict[str, Any]) -> dict[str, Any] | None:
    """A bound that the argument's default is out of; None if it has no default that can be told."""
    default = schema.get("default")
    if isinstance(default, bool) or default is None:
        return {"const": not default} if isinstance(default, bool) else None
    if isinstance(default, int | float):
        lowest = max((part["minimum"] for part in parts_of(schema) if "minimum" in part), default=default - 1)
        return {"maximum": default - 1} if lowest <= default - 1 else {"minimum": default + 1}
    return {"const": f"{default}x"} if isinstance(default, str) else None


RULES = [
    bounds_hold_against_all_that_is_not_quite_the_value,
    bounds_hold_for_defaults,
    a_call_within_its_bounds_is_answered_and_listed_so,
    no_approval_is_asked_for_beyond_the_bounds,
]

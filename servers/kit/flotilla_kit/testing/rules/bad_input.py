"""Bad input to every argument of every tool: an error as data that repeats and explains nothing, and no effect."""

import json
from typing import Any

from ..harness import Harness
from ..proofs import drawn, some
from ..rule import rule, rule_for_each
from ..server import Change, Sample
from ..values import EXTRA, GARBAGE_CURSORS, MARK, PATHS, SQL, bad_values, invalid, kinds_of, unsayable
from ..wire import ERROR, Answer, era_of
from .paging import paging

KEY = "idempotency_key"
RUN = 9  # calls of one run: one more might have one approval too many
DRAWN = 6  # values for an argument, unless proofs run in full
LONGEST_ERROR = 3_000  # characters
TRACES = (
    *("Traceback", 'File "', "sqlalchemy", "sqlite", "psycopg", "pydantic", "SELECT ", "INSERT INTO", "site-packages"),
    *(".py:", "ToolError", "Error calling tool"),
)


def refused_well(answer: Answer, said: str) -> None:
    """Require an error of the fleet's shape without a trace of what is inside."""
    assert answer.code != "protocol" or answer.status < 500, f"{said}: {answer.status} {answer.text[:300]}"
    if answer.code in ("ok", "protocol"):
        return
    text = json.dumps(answer.data)
    assert set(answer.data) == ERROR, f"{said}: {text[:300]}"
    assert answer.code != "internal_error", f"{said}: {text[:300]}"
    assert len(text) < LONGEST_ERROR, f"{said}: an error of {len(text)} characters"
    assert not [trace for trace in TRACES if trace in text], f"{said}: {text[:600]}"
    assert answer.code != "invalid_arguments" or MARK not in text, f"{said}: the error repeats it: {text[:300]}"


@rule_for_each(lambda server: server.samples)
async def bad_input_is_an_error_as_data_and_has_no_effect(harness: Harness, sample: Sample) -> None:
    """Values of other kinds, beyond their ranges, huge, hostile, or no JSON, to every argument in turn.

    What the tool's own schema forbids is refused as `invalid_arguments`.
    """
    clerk = harness.clerk(sample, waits=isinstance(sample, Change))
    async with harness.unchanged():
        for name, values in _values(harness, sample).items():
            good = harness.fresh(sample)
            for number, bad in enumerate(value for value, forbidden in values if forbidden):
                answer = await clerk.call(sample.tool, {**good, name: bad}, use=f"bad {number}", era=era_of(number))
                said = f"{name}={bad!r:.80}"
                refused_well(answer, said)
                refused = {"invalid_arguments", *(("protocol",) if unsayable(bad) else ())}
                assert answer.code in refused, f"{said}: {answer.text[:300]}"


@rule_for_each(lambda server: server.samples)
async def odd_input_that_is_allowed_is_answered_or_an_error_as_data(harness: Harness, sample: Sample) -> None:
    """Of those values, what the tool's schema allows, and so the store gets; without an approval, it has no effect."""
    clerk = harness.clerk(sample)
    async with harness.unchanged():
        for name, values in _values(harness, sample).items():
            good = harness.fresh(sample)
            for number, odd in enumerate(value for value, forbidden in values if not forbidden):
                if isinstance(sample, Change) and number % RUN == 0:
                    clerk = harness.clerk(sample, waits=True)
                answer = await clerk.call(sample.tool, {**good, name: odd}, use=f"odd {number}", era=era_of(number))
                refused_well(answer, f"{name}={odd!r:.80}")


def _values(harness: Harness, sample: Sample) -> dict[str, list[tuple[Any, bool]]]:
    """What each argument is sent, and whether it is forbidden."""
    properties: dict[str, Any] = harness.tools[sample.tool]["inputSchema"].get("properties", {})
    values = dict[str, list[tuple[Any, bool]]]()
    for name, schema in properties.items():
        which = f"{sample.tool} {name}"
        sent = some(drawn(bad_values(schema), which), DRAWN, which)
        values[name] = [(value, unsayable(value) or invalid(schema, value)) for value in sent]
    return values


@rule_for_each(lambda server: server.samples)
async def arguments_that_are_unknown_or_missing_are_refused(harness: Harness, sample: Sample) -> None:
    """A misspelt argument that is ignored would be a filter or a limit that is missing."""
    required = harness.tools[sample.tool]["inputSchema"].get("required", [])
    caller = harness.worker(sample.tool)
    good = harness.fresh(sample)
    async with harness.unchanged():
        for extra in EXTRA:
            answer = await caller.call(sample.tool, {**good, **extra}, use="extra")
            assert answer.code == "invalid_arguments", f"{extra}: {answer.text[:300]}"
        for name in required:
            left = {key: value for key, value in good.items() if key != name}
            answer = await caller.call(sample.tool, left, use="missing")
            assert answer.code in ("invalid_arguments", "out_of_bounds"), f"without {name}: {answer.text[:300]}"
            refused_well(answer, f"without {name}")
        for other in ([1], "x", 5, True, None, [good]):
            answer = await caller.call(sample.tool, other, use="no object")
            assert answer.code != "ok" or not required, f"arguments {other!r}: {answer.text[:300]}"


@rule
async def cursors_that_were_not_issued_are_named(harness: Harness) -> None:
    """Also those that decode to something."""
    for sample in paging(harness):
        caller = harness.worker(sample.tool)
        for cursor in GARBAGE_CURSORS:
            answer = await caller.call(sample.tool, {**harness.fresh(sample), "cursor": cursor})
            assert answer.code == "invalid_cursor", f"{sample.tool} {cursor}: {answer.text[:300]}"
            refused_well(answer, cursor)


@rule_for_each(lambda server: server.changes)
async def hostile_text_that_is_allowed_is_only_text(harness: Harness, sample: Change) -> None:
    """In an argument that may have any text, it has the one effect that any other text has, or none."""
    properties: dict[str, Any] = harness.tools[sample.tool]["inputSchema"].get("properties", {})
    unit = await harness.unit(sample)
    for name in sample.nth(0):
        if "string" not in kinds_of(properties[name]) or name == KEY:
            continue
        allowed = [[text for text in kind if not invalid(properties[name], text)][:3] for kind in (SQL, PATHS)]
        for text in drawn(allowed, f"{sample.tool} {name}"):
            arguments, before = {**harness.fresh(sample), name: text}, await harness.count()
            clerk, use = harness.clerk(sample), f"text_{harness.number()}"
            answer = await clerk.call(sample.tool, arguments, use=use)
            if answer.code == "approval_required":
                await harness.approve(answer)
                answer = await clerk.call(sample.tool, arguments, use=use)
            refused_well(answer, text)
            assert await harness.count() - before == (unit if answer.code == "ok" else 0), f"{name}={text}"


OF_THE_STORE = [
    odd_input_that_is_allowed_is_answered_or_an_error_as_data,
    cursors_that_were_not_issued_are_named,
    hostile_text_that_is_allowed_is_only_text,
]
"""Those whose input is not refused before the store gets it."""
RULES = [
    bad_input_is_an_error_as_data_and_has_no_effect,
    arguments_that_are_unknown_or_missing_are_refused,
    *OF_THE_STORE,
]

"""Guardrails applied to what goes in, to calls and to what comes out: refused, redacted, or passed on and recorded.

What a mandate can say, the servers enforce; here such a guardrail only gives its name to the refusal. What a mandate
cannot say, a pattern in a text, is enforced here alone, in the orchestrator's process and outside of any model.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import jsonschema
from flotilla_rehearsal.secret_filter import replaced
from pydantic import JsonValue

from ..config.guardrails import Guardrail, Side
from ..errors import Failure

Trigger = dict[str, JsonValue]
"""`{name, effect, applies_to}` of a guardrail that found what it looks for."""


@dataclass(frozen=True)
class Checked:
    """A value with `[redacted:NAME]` in place of what was found in it, and why it must not be passed on, if so."""

    value: Any
    triggered: list[Trigger] = field(default_factory=list[Trigger])
    refusal: Failure | None = None

    @property
    def attributes(self) -> dict[str, JsonValue]:
        """Of the span that it happened in."""
        return {"guardrails": [*self.triggered]} if self.triggered else {}

    def require(self) -> Any:
        """The value; raises Failure `denied_by_guardrail`."""
        if self.refusal:
            raise self.refusal
        return self.value


@dataclass(frozen=True)
class Guardrails:
    """The guardrails of one run, whose inputs decide which of them apply."""

    all: Sequence[Guardrail] = ()
    inputs: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    @cached_property
    def _holding(self) -> list[Guardrail]:
        return [guardrail for guardrail in self.all if guardrail.holds(self.inputs)]

    def check(self, side: Side, value: Any) -> Checked:
        """What goes in or out: a text, or JSON with texts in it."""
        return _applied([guardrail for guardrail in self._holding if guardrail.applies_to == side], value)

    def check_call(self, tool: str, arguments: dict[str, Any], also: Side | None = None) -> Checked:
        """The arguments of a call.

        Args:
            also: the side that what is called brings them to: what is delegated is a worker's input.
        """
        sides, rails = {"call", also}, self._holding
        holding = [rail for rail in rails if rail.applies_to in sides and (not rail.tools or rail.matches(tool))]
        return _applied(holding, arguments)

    def denied_arguments(self, tool: str) -> Iterator[tuple[Guardrail, str, dict[str, Any]]]:
        """The arguments of a tool that have schemas which they must not satisfy."""
        for guardrail in self._holding:
            if guardrail.applies_to == "call" and guardrail.matches(tool):
                for argument, schema in guardrail.arguments.items():
                    yield guardrail, argument, schema


def merged(known: JsonValue, triggered: Sequence[Trigger]) -> list[JsonValue]:
    """Triggers with those known before, each once."""
    found: list[JsonValue] = [*known] if isinstance(known, list) else []
    return found + [trigger for trigger in triggered if trigger not in found]


def _applied(holding: Sequence[Guardrail], value: Any) -> Checked:
    triggered: list[Trigger] = []
    refusal: Failure | None = None
    for guardrail in holding:
        if guardrail.patterns or guardrail.detect:
            masked = _masked(value, guardrail)
            found, value = masked != value, masked
        else:
            found = not guardrail.arguments or _denies(guardrail, value)
        if found:
            triggered.append({"name": guardrail.name, "effect": guardrail.effect, "applies_to": guardrail.applies_to})
            refusal = refusal or (_refused(guardrail) if guardrail.effect == "deny" else None)
    return Checked(value, triggered, refusal)


def _masked(value: Any, guardrail: Guardrail) -> Any:
    def mask(text: str) -> str:
        return replaced(text, f"[redacted:{guardrail.name}]", guardrail.patterns, guardrail.detect)

    return _mapped(value, mask)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The value with all of its texts changed, names included; a number whose digits are found becomes a text."""
    match value:
        case str():
            return change(value)
        case int() if not isinstance(value, bool):
            text = str(value)
            return value if (changed := change(text)) == text else changed
        case list():
            return [_mapped(item, change) for item in cast("list[Any]", value)]
        case dict():
            return {change(str(key)): _mapped(item, change) for key, item in cast("dict[Any, Any]", value).items()}
        case _:
            return value


def _denies(guardrail: Guardrail, arguments: Mapping[str, Any]) -> bool:
    given = {name: schema for name, schema in guardrail.arguments.items() if arguments.get(name) is not None}
    return any(_satisfies(arguments[name], schema) for name, schema in given.items())


def _satisfies(value: Any, schema: Mapping[str, Any]) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(value)  # pyright: ignore[reportUnknownMemberType]  # untyped in its stub


def _refused(guardrail: Guardrail) -> Failure:
    what = {"input": "This was not passed on", "call": "The call was not made", "output": "This was held back"}
    return Failure(
        "denied_by_guardrail",
        f"{guardrail.name}: {guardrail.description}",
        f"{what[guardrail.applies_to]}. Do not try to get the same another way; report the refusal.",
        details={"guardrail": guardrail.name},
    )

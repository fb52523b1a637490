"""What a worker may do, as its signed token says it: tools with bounds on their arguments, resources, and a scope.

The claims are `authorization_details` (RFC 9396) and `scope`:

    {"authorization_details": [
        {"type": "mcp_tool", "tool": "issue_refund", "arguments": {JSON Schema}, "approval": "required"},
        {"type": "mcp_resource", "uri": "knowledge://policies/*"},
        {"type": "mcp_prompt", "prompt": "summary"}],
     "scope": {"customer_id": "cust_12345"}}

What is not listed does not exist for the worker. `arguments` narrows a call: its `properties` are schemas of the
keywords in `KEYWORDS`. `scope` narrows the records. Anything here that is not understood refuses the whole token: what
is misspelt must not be a bound that is missing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from jsonschema import Draft202012Validator, SchemaError, ValidationError

Schema = Mapping[str, Any]

_MOST_DETAILS = 500
_MEMBERS = {
    "mcp_tool": {"type", "tool", "arguments", "approval"},
    "mcp_resource": {"type", "uri"},
    "mcp_prompt": {"type", "prompt"},
}
KEYWORDS = frozenset(
    {
        *("const", "enum", "type", "pattern", "format", "minLength", "maxLength", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "items", "minItems", "maxItems", "uniqueItems"),
        *("anyOf", "allOf", "oneOf", "not", "properties", "required", "additionalProperties", "description"),
    }
)
_FORMATS = frozenset(Draft202012Validator.FORMAT_CHECKER.checkers)
_LONGEST_BOUND = 200  # characters of a bound that an error repeats


class MandateError(ValueError):
    """The claims are no mandate; the message says which part, without the token."""


@dataclass(frozen=True)
class Breach:
    """Where a call's arguments leave the bounds: the argument, and the bound as JSON Schema says it."""

    argument: str
    bound: str


@dataclass(frozen=True)
class Grant:
    """One tool: the JSON Schemas that its arguments must satisfy, and whether each call waits for an approval."""

    tool: str
    bounds: tuple[Schema, ...] = ()
    approval_required: bool = False

    @cached_property
    def _validators(self) -> list[Draft202012Validator]:
        check = Draft202012Validator.FORMAT_CHECKER
        required = [{**bound, "required": _required(bound)} for bound in self.bounds]
        return [Draft202012Validator(bound, format_checker=check) for bound in required]

    def breach(self, arguments: Mapping[str, Any]) -> Breach | None:
        """The first bound that the arguments leave, or None. They are JSON, as the tool's body receives them."""
        for bound in self.bounds:
            for name, narrower in cast("Mapping[str, Any]", bound.get("properties", {})).items():
                # JSON Schema's `maximum` and the like say nothing of null, which to a tool means: any.
                if arguments.get(name) is None and not _names_null(narrower):
                    return Breach(name[:64], "required")
        for validator in self._validators:
            for error in validator.iter_errors(dict(arguments)):  # pyright: ignore[reportUnknownMemberType]  # stub
                return _breach(error)
        return None

    def narrowed(self, parameters: Schema) -> dict[str, Any]:
        """The tool's input schema as this worker sees it: bounds in place of what they narrow, and required."""
        properties = dict(parameters.get("properties", {}))
        required = list(parameters.get("required", []))
        for bound in self.bounds:
            for name, narrower in cast("Mapping[str, Any]", bound.get("properties", {})).items():
                if name in properties and isinstance(narrower, dict):
                    properties[name] = _narrowed(properties[name], cast(Schema, narrower))
            required += [name for name in _required(bound) if name in properties and name not in required]
        return {**parameters, "properties": properties, **({"required": required} if required else {})}


@dataclass(frozen=True)
class Mandate:
    """A worker's grants by tool, the resources and prompts it may read, and the scope of its records."""

    tools: Mapping[str, Grant] = field(default_factory=dict[str, Grant])
    resources: tuple[str, ...] = ()
    prompts: frozenset[str] = frozenset()
    scope: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> "Mandate":
        """Read a verified token's claims.

        Raises:
            MandateError: a part of them is malformed, unknown, or says something twice.
        """
        scope = _scope(claims.get("scope", {}))
        details = claims.get("authorization_details", [])
        if not isinstance(details, list) or len(cast("list[Any]", details)) > _MOST_DETAILS:
            raise MandateError(f"authorization_details must be a list of at most {_MOST_DETAILS}")
        tools: dict[str, Grant] = {}
        resources: list[str] = []
        prompts: set[str] = set()
        for detail in map(_detail, cast("list[Any]", details)):
            match detail:
                case {"type": "mcp_tool", "tool": str(tool)} if tool and tool not in tools:
                    tools[tool] = _grant(tool, detail)
                case {"type": "mcp_resource", "uri": str(uri)} if uri:
                    resources.append(uri)
                case {"type": "mcp_prompt", "prompt": str(prompt)} if prompt:
                    prompts.add(prompt)
                case _:
                    raise MandateError(f"{detail['type']}: unnamed, or named twice")
        return cls(tools, tuple(resources), frozenset(prompts), scope)

    def within(self, tool: str, properties: Sequence[str]) -> Grant | None:
        """The grant of a tool that takes these arguments, the scope's bounds included; None if it is not granted."""
        grant = self.tools.get(tool)
        scoped = {key: {"const": value} for key, value in self.scope.items() if key in properties}
        if grant is None or not scoped:
            return grant
        known = self._scoped.get((tool, *scoped))
        if known is None:
            known = Grant(tool, (*grant.bounds, {"properties": scoped}), grant.approval_required)
            self._scoped[tool, *scoped] = known
        return known

    @cached_property
    def _scoped(self) -> dict[tuple[str, ...], Grant]:
        """By tool and what the scope fixes of it: to prepare the check of a grant takes longer than a read."""
        return {}

    def may_read(self, uri: str) -> bool:
        """Whether a resource's URI is granted; a granted URI that ends in `*` is a prefix."""
        return any(uri == known or (known[-1] == "*" and uri.startswith(known[:-1])) for known in self.resources)


def _detail(value: Any) -> dict[str, Any]:
    detail = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    kind = detail.get("type")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise MandateError(f"a detail's type must be one of {', '.join(sorted(_MEMBERS))}")
    if unknown := set(detail) - _MEMBERS[kind]:
        raise MandateError(f"{kind} has no member {min(unknown)[:40]}")
    return detail


def _grant(tool: str, detail: Mapping[str, Any]) -> Grant:
    bounds, approval = detail.get("arguments", {}), detail.get("approval")
    if approval not in (None, "required"):
        raise MandateError(f"{tool}: approval can only be `required`")
    if not isinstance(bounds, dict):
        raise MandateError(f"{tool}: arguments must be a JSON Schema")
    schema = cast("dict[str, Any]", bounds)
    if not schema:  # to check it as JSON Schema would take longer than all else about a token
        return Grant(tool, (), approval == "required")
    if unknown := set(schema) - {"type", "properties", "required"}:
        raise MandateError(f"{tool}: arguments have `properties` and `required`, not {min(unknown)[:40]}")
    try:
        Draft202012Validator.check_schema(schema)
        for bound in schema.get("properties", {}).values():
            check_bound(bound)
    except (SchemaError, MandateError) as error:
        raise MandateError(f"{tool}: {str(error).splitlines()[0][:200]}") from None
    return Grant(tool, (schema,), approval == "required")


def check_bound(bound: Any) -> None:
    """Check one argument's bound: JSON Schema of the keywords that are enforced here, and of no others.

    Raises:
        MandateError: another keyword or format, which would bind nothing, or no JSON Schema at all.
    """
    if isinstance(bound, bool):
        return
    if not isinstance(bound, dict):
        raise MandateError("a bound must be a JSON Schema")
    schema = cast("dict[str, Any]", bound)
    if unknown := set(schema) - KEYWORDS:
        raise MandateError(f"{min(unknown)[:40]} is no keyword of a bound")
    if schema.get("format", next(iter(_FORMATS))) not in _FORMATS:
        raise MandateError("that format is not checked here")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise MandateError(error.message[:200]) from None
    inner = [schema[name] for name in ("items", "not", "additionalProperties") if name in schema]
    inner += [each for name in ("anyOf", "allOf", "oneOf") for each in schema.get(name, [])]
    for each in [*inner, *schema.get("properties", {}).values()]:
        check_bound(each)


def _scope(value: Any) -> dict[str, str]:
    scope = cast("dict[str, Any]", value) if isinstance(value, dict) else None
    if scope is None or not all(isinstance(bound, str) and bound for bound in scope.values()):
        raise MandateError("scope must be an object of texts that are not empty")
    return cast("dict[str, str]", scope)


def _required(bound: Schema) -> list[str]:
    """A bound property is required: left out, a call would reach further than the bound."""
    return sorted({*bound.get("required", []), *bound.get("properties", {})})


def _names_null(bound: Any) -> bool:
    """Whether a bound itself speaks of null."""
    if not isinstance(bound, dict):
        return False
    said = cast("dict[str, Any]", bound)
    types = said.get("type", [])
    return None in [said.get("const", 0), *said.get("enum", [])] or "null" in ([types] if types == "null" else types)


def _narrowed(property_: Schema, bound: Schema) -> dict[str, Any]:
    """Where the bound fixes the value, only that (and the description); else both, which JSON Schema reads as `and`."""
    if "const" in bound:
        return {key: said for key, said in property_.items() if key in ("description", "title")} | dict(bound)
    kept = {key: said for key, said in property_.items() if key != "default"}
    return {**kept, **bound} if not set(kept) & set(bound) else {**kept, "allOf": [dict(bound)]}


def _breach(error: ValidationError) -> Breach:
    path = [str(part) for part in error.absolute_path]
    argument = path[0] if path else "arguments"
    if error.validator == "required" and not path:
        missing = set(cast("list[str]", error.validator_value)) - set(cast("dict[str, Any]", error.instance))
        return Breach(min(missing)[:64], "required")
    return Breach(argument[:64], json.dumps({error.validator: error.validator_value}, default=str)[:_LONGEST_BOUND])

"""JSON schemas of tools as clients get them: without references, which some clients do not follow."""

from typing import Any, cast

from pydantic import JsonValue

_DEFINED = "#/$defs/"
JsonObject = dict[str, JsonValue]


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of pydantic's with each definition in the place of the references to it; one that contains itself stays.

    The result is that of FastMCP's `dereference_refs`, which loads an HTTP client for it, at each start of a server.
    """
    try:
        return _inlined(schema, schema.get("$defs", {}))
    except RecursionError:
        return schema


def _inlined(schema: JsonObject, definitions: dict[str, JsonObject]) -> JsonObject:
    def resolved(value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [resolved(item) for item in value]
        return _inlined(value, definitions) if isinstance(value, dict) else value

    found = {key: resolved(value) for key, value in schema.items() if key not in ("$ref", "$defs")}
    match found:
        case {"discriminator": {"mapping": _, "propertyName": str(name)}, "oneOf": [*variants]}:
            del found["discriminator"]  # it maps to the definitions
            found["oneOf"] = [_requiring(name, cast("JsonObject", variant)) for variant in variants]
        case _:
            pass
    if target := schema.get("$ref"):
        return {**_inlined(definitions[str(target).removeprefix(_DEFINED)], definitions), **found}
    return found


def _requiring(name: str, variant: JsonObject) -> JsonObject:
    required = cast("list[JsonValue]", variant.get("required", []))
    return {**variant, "required": [*required, name]}

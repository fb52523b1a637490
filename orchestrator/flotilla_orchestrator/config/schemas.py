"""The JSON Schemas in config files: of inputs and bounds, and of what a session has to give."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from jsonschema import Draft7Validator, Draft202012Validator, SchemaError, ValidationError
from pydantic import AfterValidator

# The Claude CLI (2.1) refuses to start with any other keyword, and with `$defs` takes one that draft 7 does not have.
_DRAFT_7: dict[str, Any] = dict(Draft7Validator.META_SCHEMA)
_KEYWORDS: dict[str, Any] = {
    **_DRAFT_7["properties"],
    "$defs": _DRAFT_7["properties"]["definitions"],
    "$schema": {"enum": [_DRAFT_7["$id"], _DRAFT_7["$id"].rstrip("#")]},
}
# Without its `$id`, `#` is this schema, all the way down.
_OUTPUT = {**_DRAFT_7, "$id": "", "properties": _KEYWORDS, "additionalProperties": False}


def check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema; raises ValueError unless it is one."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"not a JSON Schema{_place(error)}: {error.message}") from None
    return schema


def check_object_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema; raises ValueError unless it is one of objects."""
    if schema.get("type") != "object":
        raise ValueError("must be a JSON Schema with `type: object`")
    return check_schema(schema)


def check_output_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema; raises ValueError unless a session can be asked for it: draft 7 and no keyword beyond."""
    check_object_schema(schema)
    error = _topmost_error(_OUTPUT, schema)
    if error is None:
        return schema
    if error.validator == "additionalProperties":
        unknown = ", ".join(f"`{name}`" for name in cast("dict[str, Any]", error.instance) if name not in _KEYWORDS)
        raise ValueError(f"results are JSON Schema of draft 7, which has no {unknown}{_place(error)}")
    raise ValueError(f"not a JSON Schema of draft 7{_place(error)}: {error.message}")


def schema_problem(value: Any, schema: Mapping[str, Any]) -> str:
    """What is wrong with a result; empty: it satisfies its schema."""
    error = _topmost_error(schema, value)
    return error.message if error else ""


def _topmost_error(schema: Mapping[str, Any], value: Any) -> ValidationError | None:
    """The error that is nearest to the top."""
    errors = Draft7Validator(schema).iter_errors(value)  # pyright: ignore[reportUnknownMemberType]  # untyped in its stub
    return min(errors, key=lambda error: len(error.absolute_path), default=None)


def _place(error: ValidationError | SchemaError) -> str:
    where = "/".join(str(part) for part in error.absolute_path)
    return f" at {where}" if where else ""


ObjectSchema = Annotated[dict[str, Any], AfterValidator(check_object_schema)]
OutputSchema = Annotated[dict[str, Any], AfterValidator(check_output_schema)]

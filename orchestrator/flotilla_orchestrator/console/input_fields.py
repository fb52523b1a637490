"""Form fields for the inputs of a playbook, made of its JSON Schema, and the inputs that were typed into them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from jsonschema import ValidationError
from pydantic import JsonValue

Kind = Literal["text", "long", "choice", "boolean", "integer", "number", "json"]
NAME = "input."  # before the name of an input, in a form
_LONG = 200  # characters, from which on a text gets several lines


@dataclass(frozen=True)
class InputField:
    """One input. `default` is what the form shows at first; `choices` are values as JSON, with what people read."""

    name: str
    kind: Kind
    required: bool
    description: str = ""
    default: str = ""
    pattern: str = ""
    choices: Sequence[tuple[str, str]] = ()
    least: float | None = None
    most: float | None = None
    longest: int | None = None

    @property
    def key(self) -> str:
        return NAME + self.name

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")

    def value(self, typed: str) -> JsonValue:
        """What was typed, as the schema takes it; raises ValueError, whose text is for people."""
        match self.kind:
            case "integer":
                try:
                    return int(typed)
                except ValueError:
                    raise ValueError("Has to be a whole number.") from None
            case "number":
                try:
                    return _json(typed)
                except ValueError:
                    raise ValueError("Has to be a number.") from None
            case "boolean" | "choice":
                if typed not in dict(self.choices):
                    raise ValueError("Has to be one of the choices.")
                return _json(typed)
            case "json":
                try:
                    return _json(typed)
                except ValueError as error:
                    raise ValueError(f"Is not JSON: {error}") from None
            case _:
                return typed


def fields_of(schema: Mapping[str, Any]) -> list[InputField]:
    """The fields of an object's schema, in its order; what is not flat is a field for JSON."""
    required = schema.get("required", [])
    return [_field(name, found, name in required) for name, found in schema.get("properties", {}).items()]


def read_inputs(fields: Sequence[InputField], form: Mapping[str, str]) -> tuple[dict[str, JsonValue], dict[str, str]]:
    """The inputs that were typed, and by field what is wrong with the others. Nothing typed is nothing given."""
    inputs: dict[str, JsonValue] = {}
    problems: dict[str, str] = {}
    for field in fields:
        typed = form.get(field.key, "")
        if not typed.strip():
            if field.required:
                problems[field.name] = "Is required."
            continue
        try:
            inputs[field.name] = field.value(typed if field.kind in ("text", "long") else typed.strip())
        except ValueError as error:
            problems[field.name] = str(error)
    return inputs, problems


def problem_of(error: ValidationError) -> tuple[str, str]:
    """The input that an error of a schema is about (empty: of all of them), and what is wrong, for people."""
    path = [str(part) for part in error.absolute_path]
    name, inside = (path[0], ".".join(path[1:])) if path else ("", "")
    expected: Any = error.validator_value
    match error.validator:
        case "pattern":
            said = f"Has to match {expected}."
        case "minimum":
            said = f"Has to be at least {expected}."
        case "maximum":
            said = f"Has to be at most {expected}."
        case "minLength":
            said = f"Has to have at least {expected} characters."
        case "maxLength":
            said = f"Has to have at most {expected} characters."
        case _:
            said = error.message[:300]
    return name, f"{inside}: {said}" if inside else said


def _field(name: str, schema: object, required: bool) -> InputField:
    found = cast("Mapping[str, Any]", schema if isinstance(schema, dict) else {})
    kind, choices = _kind(found)
    default = found.get("default")
    shown = default if isinstance(default, str) and kind in ("text", "long") else json.dumps(default)
    return InputField(
        name=name,
        kind=kind,
        required=required,
        description=str(found.get("description", "")),
        default="" if default is None else shown,
        pattern=str(found.get("pattern", "")),
        choices=choices,
        least=found.get("minimum"),
        most=found.get("maximum"),
        longest=found.get("maxLength"),
    )


def _kind(schema: Mapping[str, Any]) -> tuple[Kind, Sequence[tuple[str, str]]]:
    if values := schema.get("enum"):
        texts = [(json.dumps(value), value) for value in values]
        return "choice", [(text, value if isinstance(value, str) else text) for text, value in texts]
    match schema.get("type"):
        case "string":
            return ("long" if schema.get("maxLength", 0) > _LONG else "text"), ()
        case "integer":
            return "integer", ()
        case "number":
            return "number", ()
        case "boolean":
            return "boolean", [("true", "yes"), ("false", "no")]
        case _:
            return "json", ()


def _json(typed: str) -> JsonValue:
    """Raises ValueError; also for the numbers that JSON does not have."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(typed, parse_constant=refuse)

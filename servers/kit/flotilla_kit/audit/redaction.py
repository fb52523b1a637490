"""What the audit keeps of a call's arguments: numbers, and texts that a pattern or list confines; other text's length.

An id or a currency identifies what was done; free text can hold anything, a secret too. The digest beside it still
binds every byte.
"""

import json
from collections.abc import Mapping
from typing import Any

# Of each parameter's name: whether its text is confined.
Parameters = Mapping[str, bool]

_LONGEST = 64  # characters of a confined text that are kept
_LARGEST = 2**53  # beyond it JSON's readers disagree, and a number can be as long as its writer likes
_MOST = 4096  # characters of a record's arguments: a caller chooses them, and the audit keeps them for good
_CONFINING = {"pattern", "enum", "const", "format"}
_SHORT = 16  # no secret worth the name fits
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def parameters_of(schema: Mapping[str, Any]) -> Parameters:
    """The parameters of an input schema, and which of them confine their text."""
    return {name: _confines(described) for name, described in schema.get("properties", {}).items()}


def redacted(arguments: Mapping[str, Any], parameters: Parameters, *, understood: bool) -> str:
    """The arguments as JSON text, free text replaced by its length, what the tool does not take by its number.

    Args:
        understood: they were validated; before, no text is known to be what its parameter's pattern says.
    """
    said = {
        name: _kept(value, understood and parameters[name]) for name, value in arguments.items() if name in parameters
    }
    if unknown := len(arguments) - len(said):
        said["?"] = unknown
    text = _encode(said)
    return text if len(text) <= _MOST else json.dumps({"?": len(arguments)})


def _confines(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    choices = schema.get("anyOf") or schema.get("oneOf") or []  # pyright: ignore  # JSON
    short = schema.get("maxLength", _LONGEST) <= _SHORT  # pyright: ignore  # JSON
    return short or bool(_CONFINING & schema.keys()) or any(_confines(choice) for choice in choices)  # pyright: ignore  # JSON


def _kept(value: Any, confined: bool) -> Any:
    match value:
        case None | bool():
            return value
        case int() | float():
            return value if abs(value) <= _LARGEST else "number"  # nor infinity, nor NaN
        case str() if confined and len(value) <= _LONGEST:
            return value
        case str():
            return f"text({len(value)})"
        case list() | dict():
            return f"{type(value).__name__}({len(value)})"  # pyright: ignore  # JSON
        case _:
            return type(value).__name__

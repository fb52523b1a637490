"""What the audit keeps of a call's arguments: numbers, and texts that a pattern or list confines; other text's length.

An id or a currency identifies what was done; free text can hold anything, a secret too. The digest beside it still
binds every byte.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

_LONGEST = 64  # characters of a confined text that are kept
_CONFINING = {"pattern", "enum", "const", "format"}
_SHORT = 16  # no secret worth the name fits


def confined(parameters: Mapping[str, Any]) -> frozenset[str]:
    """The parameters of an input schema whose text is confined."""
    return frozenset(name for name, schema in parameters.get("properties", {}).items() if _confines(schema))


def redacted(arguments: Mapping[str, Any], kept: frozenset[str]) -> str:
    """The arguments as JSON text, free text replaced by its length."""
    return json.dumps(
        {name[:_LONGEST]: _kept(value, name in kept) for name, value in list(arguments.items())[:50]},
        ensure_ascii=False,
        separators=(",", ":"),
        default=str,
    )


def _confines(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    choices = schema.get("anyOf") or schema.get("oneOf") or []  # pyright: ignore  # JSON
    short = schema.get("maxLength", _LONGEST) <= _SHORT  # pyright: ignore  # JSON
    return short or bool(_CONFINING & schema.keys()) or any(_confines(choice) for choice in choices)  # pyright: ignore  # JSON


def _kept(value: Any, confined: bool) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return "number"
        case None | bool() | int() | float():
            return value
        case str() if confined and len(value) <= _LONGEST:
            return value
        case str():
            return f"text({len(value)})"
        case list() | dict():
            return f"{type(value).__name__}({len(value)})"  # pyright: ignore  # JSON
        case _:
            return type(value).__name__

"""Mandates as text for people: a server with its scope, and a bound."""

import json
from collections.abc import Mapping

from pydantic import JsonValue
from rich.text import Text


def server_heading(server: str, scope: Mapping[str, str], *, mandates: bool) -> Text:
    """Its name, the records that a mandate narrows it to, and whether it checks none."""
    heading = Text(server, style="bold cyan")
    for key, value in scope.items():
        heading.append(f"  only records of {key}={value}", "yellow")
    if not mandates:
        heading.append("  checks no mandates", "red")
    return heading


def bound_text(argument: str, bound: JsonValue) -> str:
    """`customer_id=cust_1`, or the argument with its JSON Schema."""
    match bound:
        case {"const": value} if len(bound) == 1:
            return f"{argument}={value}"
        case _:
            return f"{argument}: {json.dumps(bound, ensure_ascii=False)}"

"""Values of a run as people read them: text, not JSON."""

from pydantic import JsonValue


def value_text(value: JsonValue) -> str:
    """Lists as bullets, objects as lines `name: value`, what is inside them indented."""
    match value:
        case None:
            return "—"
        case bool():
            return "yes" if value else "no"
        case list() | dict() if not value:
            return "—"
        case list():
            return "\n".join(f"- {_inside(value_text(item))}" for item in value)
        case dict():
            return "\n".join(f"{name.replace('_', ' ')}:{_after_name(item)}" for name, item in value.items())
        case _:
            return str(value)


def guardrails_text(triggered: JsonValue) -> str:
    """`guardrail cards (redact), no-deletes (deny)`; empty if none found anything."""
    found = triggered if isinstance(triggered, list) else []
    named = [f"{one['name']} ({one['effect']})" for one in found if isinstance(one, dict)]
    return f"guardrail {', '.join(named)}" if named else ""


def short(text: str, limit: int) -> str:
    """In one line of so many characters at most."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _after_name(value: JsonValue) -> str:
    """On the same line if it is one; so are lists of ids."""
    if isinstance(value, list) and value and all(isinstance(item, str) and " " not in item for item in value):
        return f" {', '.join(map(str, value))}"
    text = _inside(value_text(value))
    return f"\n  {text}" if "\n" in text else f" {text}"


def _inside(text: str) -> str:
    return text.replace("\n", "\n  ")

"""Values as people read them: results as text instead of JSON, dollars, durations, errors."""

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


def cost(usd: float | None) -> str:
    """`$0.0123`, or that it is not known."""
    return "cost unknown" if usd is None else f"${usd:.4f}"


def duration(seconds: float) -> str:
    """`340 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`; negative where clocks disagree."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def error_text(error: JsonValue) -> str:
    return one_line(f"{error['code']}: {error['message']}" if isinstance(error, dict) else str(error), 120)


def guardrails_text(triggered: JsonValue) -> str:
    """`guardrail cards (redact), no-deletes (deny)`; empty if none found anything."""
    found = triggered if isinstance(triggered, list) else []
    named = [f"{one['name']} ({one['effect']})" for one in found if isinstance(one, dict)]
    return f"guardrail {', '.join(named)}" if named else ""


def one_line(text: str, limit: int) -> str:
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

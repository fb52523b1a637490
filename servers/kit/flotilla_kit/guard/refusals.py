"""Whatever a call raises becomes an error result of the fleet's shape; the unexpected is masked and logged."""

import json
import logging
import re
import secrets
from collections.abc import Mapping
from typing import Any

from fastmcp.exceptions import FastMCPError, NotFoundError, ValidationError
from fastmcp.tools import ToolResult
from mcp_types import TextContent
from pydantic import ValidationError as PydanticValidationError

from ..effects import REPEAT, Effect
from ..errors import FlotillaError, InternalError, InvalidArguments, TimedOut, UnknownTool

logger = logging.getLogger(__name__)
_MOST_CHARACTERS = 256 * 1024  # reading them over again (digest, bounds) is what a caller could slow others with
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON escapes it


def as_refusal(error: Exception, tool: str, effect: Effect | None = None) -> FlotillaError:
    """What the caller is told of whatever a call raised that was to have this effect."""
    match error:
        case FlotillaError():
            return error
        case NotFoundError():
            return UnknownTool(f"Unknown tool: {tool[:64]}")
        case ValidationError():
            cause = error.__cause__
            return _invalid(_problems(cause) if isinstance(cause, PydanticValidationError) else [])
        case TimeoutError():
            return _timed_out(tool, effect)
        case _:
            return _unexpected(error, tool, effect)


def as_result(error: FlotillaError) -> ToolResult:
    # As text alone: that is what Claude reads of an error, and the TypeScript SDK checks structured content against the
    # tool's output schema even on errors.
    return ToolResult(content=[TextContent(type="text", text=str(error))], is_error=True)


def require_json(arguments: Mapping[str, Any] | None) -> None:
    """Refuse what Python's JSON reader lets in but JSON or a database cannot say: FastMCP would turn 1e400 into null.

    Raises:
        InvalidArguments: a number is not finite, or text has a lone surrogate or a NUL (PostgreSQL stores none).
    """
    try:
        said = _encode(arguments)
        said.encode()
    except ValueError:
        raise _invalid([{"argument": "arguments", "problem": "numbers must be finite and text valid UTF-8"}]) from None
    if len(said) > _MOST_CHARACTERS:
        raise _invalid([{"argument": "arguments", "problem": f"they have more than {_MOST_CHARACTERS} characters"}])
    if "\\u0000" in said and _NUL.search(said):
        raise _invalid([{"argument": "arguments", "problem": "text must not contain NUL"}])


def _invalid(problems: list[dict[str, str]]) -> InvalidArguments:
    said = "; ".join(f"{problem['argument']}: {problem['problem']}" for problem in problems)
    return InvalidArguments(
        f"The arguments are not valid. {said}".rstrip(),
        suggestion="Correct the named arguments and call again; nothing was done.",
        details={"problems": problems},
    )


def _problems(error: PydanticValidationError) -> list[dict[str, str]]:
    """What is wrong with which argument, without repeating the value."""
    return [
        {
            "argument": ".".join(str(part)[:64] for part in problem["loc"]) or "arguments",
            "problem": _said(problem),
        }
        for problem in error.errors(include_url=False, include_context=False, include_input=False)[:20]
    ]


def _said(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "unexpected_keyword_argument":
        return "this tool has no such argument"
    if problem["type"] in ("missing_argument", "missing"):
        return "is required"
    return problem["msg"].removeprefix("Value error, ")


def _unexpected(error: Exception, tool: str, effect: Effect | None) -> FlotillaError:
    if "timed out" in str(error) and not isinstance(error, FastMCPError):
        return _timed_out(tool, effect)
    error_id = secrets.token_hex(6)
    logger.error("tool failed", extra={"tool": tool, "error_id": error_id}, exc_info=error.__cause__ or error)
    return InternalError(
        "Something went wrong on the server.",
        suggestion="Try once more; if it fails again, report the error_id to whoever runs this server.",
        details={"error_id": error_id},
    )


def _timed_out(tool: str, effect: Effect | None) -> TimedOut:
    said = f"{tool} took too long."
    if effect is None:
        return TimedOut(said, suggestion="Ask for less, or try again.")
    if effect.key:
        return TimedOut(said, suggestion=REPEAT, details={"idempotency_key": effect.key})
    return TimedOut(said, suggestion="It may happen all the same: look whether it has before you try again.")

"""What a tool answered, as data: the structured result, or the error that is an error result's text."""

import json
from typing import Any

from fastmcp.client.client import CallToolResult
from mcp_types import TextContent


def answer_of(result: CallToolResult) -> dict[str, Any]:
    """The structured content of a success, or `{code, message, suggestion, retryable, details}` of an error."""
    if not result.is_error:
        assert result.structured_content is not None
        return result.structured_content
    (content,) = result.content
    assert isinstance(content, TextContent)
    error: dict[str, Any] = json.loads(content.text)
    assert set(error) == {"code", "message", "suggestion", "retryable", "details"}
    return error

"""Responses of the Messages API: JSON, server-sent events and errors, also malformed ones on request.

The shapes are those of the public Messages API (streaming and errors pages of its reference).
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Literal
from uuid import uuid4

from pydantic import JsonValue

from flotilla_rehearsal.messages_api import MODEL_NAME, Text, ToolUse

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
JsonObject = dict[str, JsonValue]
Fault = Literal["malformed", "truncated", "bad_arguments"]
INVALID_JSON = '{"invalid": '


def token_estimate(size: int) -> int:
    """An estimate from bytes: there is no tokenizer here, and four bytes a token is near enough for accounting."""
    return max(1, size // 4)


def error(status: int, message: str) -> JsonObject:
    return {"type": "error", "error": {"type": ERROR_TYPES[status], "message": message}}


def answer(content: Sequence[Text | ToolUse], input_tokens: int) -> JsonObject:
    """An answer as the JSON of a message."""
    blocks: list[JsonValue] = [_block(block) for block in content]
    usage: JsonObject = {"input_tokens": input_tokens, "output_tokens": token_estimate(len(json.dumps(blocks)))}
    return {
        "id": f"msg_{uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": MODEL_NAME,
        "content": blocks,
        "stop_reason": "tool_use" if any(isinstance(block, ToolUse) for block in content) else "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }


def json_body(content: Sequence[Text | ToolUse], input_tokens: int, fault: Fault | None = None) -> bytes:
    """The response to a request without `stream`, with the `fault` asked for."""
    if fault == "malformed":
        return INVALID_JSON.encode()
    whole = answer(content, input_tokens)
    if fault == "bad_arguments":
        whole["content"] = [{**_block(block), "input": INVALID_JSON} for block in content if isinstance(block, ToolUse)]
    encoded = json.dumps(whole).encode()
    return encoded[: len(encoded) // 2] if fault == "truncated" else encoded


def events(
    content: Sequence[Text | ToolUse], input_tokens: int, fault: Fault | None = None, pieces: int = 1
) -> Iterator[bytes]:
    """The response to a request with `stream`: server-sent events, with the `fault` asked for.

    Args:
        pieces: how many each block comes in.
    """
    whole = answer(content, input_tokens)
    yield _event("message_start", {"message": {**whole, "content": [], "stop_reason": None}})
    if fault == "malformed":
        yield f"event: content_block_start\ndata: {INVALID_JSON}\n\n".encode()
        return
    for index, block in enumerate(content):
        if isinstance(block, Text):
            start, kind, field, payload = _block(Text("")), "text_delta", "text", block.text
        else:
            start, kind, field = {**_block(block), "input": {}}, "input_json_delta", "partial_json"
            payload = INVALID_JSON if fault == "bad_arguments" else json.dumps(block.input)
        truncated = fault == "truncated" and index == len(content) - 1
        if truncated:
            payload = payload[: len(payload) // 2]
        yield _event("content_block_start", {"index": index, "content_block": start})
        size = max(1, math.ceil(len(payload) / pieces))
        for start_at in range(0, max(1, len(payload)), size):
            piece = payload[start_at : start_at + size]
            yield _event("content_block_delta", {"index": index, "delta": {"type": kind, field: piece}})
        if truncated:
            return
        yield _event("content_block_stop", {"index": index})
    yield _event("message_delta", {"delta": {"stop_reason": whole["stop_reason"]}, "usage": whole["usage"]})
    yield _event("message_stop", {})


def _block(block: Text | ToolUse) -> JsonObject:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": block.input}


def _event(kind: str, data: JsonObject) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()

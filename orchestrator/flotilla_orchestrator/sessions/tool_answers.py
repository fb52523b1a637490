"""What the tools that run in this process answer a session: JSON, or a failure."""

import json
from typing import Any

from ..errors import Failure


def answer(value: object) -> dict[str, Any]:
    """The result of a call that was done."""
    return {"content": [{"type": "text", "text": json.dumps(value, ensure_ascii=False)}]}


def refusal(failure: Failure) -> dict[str, Any]:
    """The result of one that was not."""
    return {**answer(failure.as_dict()), "is_error": True}

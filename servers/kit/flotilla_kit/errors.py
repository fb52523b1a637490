"""Errors as data: every refusal is a JSON object that a model can act on.

FlotillaError
├── InvalidArguments       what was asked is malformed; nothing happened
├── InvalidCursor          the cursor is not one this tool returned
├── NotFound               no such record (in what the caller may see)
├── Conflict               the record's state forbids it
├── StoreEmpty             nothing has been imported yet
├── StoreUnavailable       the database does not answer; try again
├── OutOfBounds            the caller's mandate does not allow these arguments
├── TokenExpired           the session outlived its mandate
├── RateLimited            too many calls; `details.retry_after_s`
├── TimedOut               the tool took too long
├── AnswerTooLarge         ask for less
├── OutcomeUnknown         an effect elsewhere may or may not have happened; it is being found out
├── IdempotencyMismatch    the key was used with other arguments
├── IdempotencyKeyRequired a mutation came without any key
├── approvals.*            a person has to decide, or has decided (see approvals/errors.py)
└── InternalError          ours; logged under `error_id`, never explained
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fastmcp.exceptions import ToolError


class FlotillaError(ToolError):
    """A refusal with `code`, `message`, `suggestion`, `retryable` and `details`.

    `str(error)` is the JSON text that reaches the model: Claude reads only the text of an error result.

    Args:
        command: if it takes a person at the server's host, the words after the server's command that they would run,
            such as `("import", "payments.csv")`. The line that works for how this server was started is put in front of
            the suggestion when the error is told, and for the local owner into `details.command`
            (`terminal/invocation.py`).
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        suggestion: str = "",
        details: dict[str, Any] | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        super().__init__(message, log_level=logging.DEBUG)  # a refusal is an answer, not a fault to log
        self.message = message
        self.suggestion = suggestion
        self.details = details or {}
        self.command = command

    def as_dict(self) -> dict[str, Any]:
        """The wire shape: `{code, message, suggestion, retryable, details}`."""
        return {
            "code": self.code,
            "message": self.message,
            "suggestion": self.suggestion,
            "retryable": self.retryable,
            "details": self.details,
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> "FlotillaError":
        """The error that `as_dict` told of: it says the same, whatever class it was."""
        kind = type("RecordedError", (cls,), {"code": said["code"], "retryable": said["retryable"]})
        return kind(said["message"], suggestion=said["suggestion"], details=said["details"])

    def __str__(self) -> str:
        return json.dumps(self.as_dict(), ensure_ascii=False)


class InvalidArguments(FlotillaError):
    code = "invalid_arguments"


class InvalidCursor(FlotillaError):
    code = "invalid_cursor"


class NotFound(FlotillaError):
    code = "not_found"


class UnknownTool(FlotillaError):
    code = "unknown_tool"


class Conflict(FlotillaError):
    code = "conflict"


class StoreEmpty(FlotillaError):
    code = "store_empty"


class StoreUnavailable(FlotillaError):
    code = "store_unavailable"
    retryable = True


class OutOfBounds(FlotillaError):
    code = "out_of_bounds"


class TokenExpired(FlotillaError):
    code = "token_expired"


class RateLimited(FlotillaError):
    code = "rate_limited"
    retryable = True


class AnswerTooLarge(FlotillaError):
    code = "answer_too_large"


class TimedOut(FlotillaError):
    code = "timed_out"
    retryable = True


class OutcomeUnknown(FlotillaError):
    """There is no definite answer: a timeout, a lost connection, a server error. Not a failure."""

    code = "outcome_unknown"
    retryable = True

    def __init__(
        self,
        message: str = "It is not known yet whether this happened; that is being found out.",
        *,
        suggestion: str = "Look at its state in a while; do not ask for it anew before that.",
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, suggestion=suggestion, details=details)


class IdempotencyMismatch(FlotillaError):
    code = "idempotency_mismatch"


class IdempotencyKeyRequired(FlotillaError):
    code = "idempotency_key_required"


class InternalError(FlotillaError):
    code = "internal_error"

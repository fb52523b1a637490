"""What a run, a session or a delegation can fail with: data in the fleet's shape, for people and models alike."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import JsonValue
from pydantic_core import CoreSchema, core_schema


class Failure(Exception):
    """The reason why something has no result: `code`, `message`, `suggestion`, `retryable`, `details`."""

    def __init__(
        self,
        code: str,
        message: str,
        suggestion: str = "",
        *,
        retryable: bool = False,
        details: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.suggestion = suggestion
        self.retryable = retryable
        self.details = dict(details or {})

    def as_dict(self) -> dict[str, JsonValue]:
        """The wire shape: `{code, message, suggestion, retryable, details}`."""
        return {
            "code": self.code,
            "message": self.message,
            "suggestion": self.suggestion,
            "retryable": self.retryable,
            "details": self.details,
        }

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> CoreSchema:
        """Pydantic stores a failure as the object of `as_dict`."""
        return core_schema.no_info_plain_validator_function(
            _from_json, serialization=core_schema.plain_serializer_function_ser_schema(cls.as_dict)
        )

    @staticmethod
    def from_dict(record: Mapping[str, Any]) -> "Failure":
        """The failure that `as_dict` gave this object for."""
        return Failure(
            record["code"],
            record["message"],
            record["suggestion"],
            retryable=record["retryable"],
            details=record["details"],
        )


def _from_json(value: object) -> Failure:
    if not isinstance(value, Mapping) or "code" not in value:
        raise ValueError("not a failure")
    return Failure.from_dict(cast("Mapping[str, Any]", value))


def root_cause(error: BaseException) -> str:
    """The first error inside nested exception groups, in one line of at most 300 characters."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {error}"[:300]

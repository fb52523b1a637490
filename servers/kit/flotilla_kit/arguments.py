"""What arguments of tools must be, listed in few bytes: a model reads every tool before every call.

A schema says the type and what cannot be guessed; what else an argument must be is checked here and said when it is
not. None is changed: bounds and approvals are of what a caller wrote.
"""

from collections.abc import Callable, Sized
from typing import Annotated, TypeVar

from pydantic import AfterValidator, WithJsonSchema

from . import effects, paging
from .times import day, instant

Values = TypeVar("Values", bound=Sized)
TEXT, NUMBER = WithJsonSchema({"type": "string"}), WithJsonSchema({"type": "integer"})
TEXTS = WithJsonSchema({"type": "array", "items": {"type": "string"}})


def _given(value: object) -> object:
    if value is None:
        raise ValueError("must be left out instead of null")
    return value


GIVEN = AfterValidator(_given)
"""An optional argument that is left out, not null."""


def length(longest: int, shortest: int = 1) -> AfterValidator:
    """A text of so many characters."""

    def check(text: str) -> str:
        if not shortest <= len(text) <= longest:
            raise ValueError(f"must be a text of {shortest} to {longest} characters")
        return text

    return AfterValidator(check)


def at_most(most: int) -> AfterValidator:
    """A list, or an object, of so many entries."""

    def check(values: Values) -> Values:
        if len(values) > most:
            raise ValueError(f"must have at most {most} entries")
        return values

    return AfterValidator(check)


def read_by(read: Callable[[str], str]) -> AfterValidator:
    """A text that a function reads; it raises `ValueError` saying what the text must be."""

    def check(said: str) -> str:
        read(said)
        return said

    return AfterValidator(check)


Name = Annotated[str, length(200)]
OptionalName = Annotated[str | None, GIVEN, length(200), TEXT]
OptionalInstant = Annotated[str | None, GIVEN, length(40), read_by(instant), TEXT]
OptionalDay = Annotated[str | None, GIVEN, length(40), read_by(day), TEXT]
Limit = Annotated[paging.Limit, NUMBER]
Cursor = Annotated[paging.Cursor | None, WithJsonSchema({"type": ["string", "null"]})]  # as the last page has it
IdempotencyKey = Annotated[effects.IdempotencyKey | None, GIVEN, TEXT]

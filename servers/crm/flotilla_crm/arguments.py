"""Arguments of the tools, listed in few bytes: a model reads every tool before every call.

A schema says the type and what cannot be guessed; what else an argument must be is checked here, or of a record's field
where its value is read, and said when it is not. An optional argument but the cursor is left out, not null.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from flotilla_kit import effects, paging
from pydantic import AfterValidator, Field, WithJsonSchema

from .records import ActivityKind, ContactStatus, Direction, SectionName, StageKind
from .times import day, instant

MOST = 40  # in a list
MOST_VERSION = 2**31 - 1


def _given(value: object) -> object:
    if value is None:
        raise ValueError("leave it out instead of null")
    return value


def _length(longest: int) -> AfterValidator:
    def check(text: str) -> str:
        if not 1 <= len(text) <= longest:
            raise ValueError(f"a text of 1 to {longest} characters")
        return text

    return AfterValidator(check)


def _read_by(read: Callable[[str], str]) -> AfterValidator:
    def check(said: str) -> str:
        read(said)
        return said

    return AfterValidator(check)


def _few(values: Sequence[object]) -> Sequence[object]:
    if len(values) > MOST:
        raise ValueError(f"at most {MOST}")
    return values


_GIVEN = AfterValidator(_given)
_TEXT, _NUMBER = WithJsonSchema({"type": "string"}), WithJsonSchema({"type": "integer"})
_TEXTS = WithJsonSchema({"type": "array", "items": {"type": "string"}})
_SCORE = WithJsonSchema({"type": "number"})

Id = Annotated[str, _length(64)]
OptionalId = Annotated[str | None, _GIVEN, _length(64), _TEXT]
Query = Annotated[str, _length(200)]
Address = Annotated[str, _length(254)]
Name = Annotated[str, _length(200)]
OptionalName = Annotated[str | None, _GIVEN, _length(200), _TEXT]
OptionalText = Annotated[str | None, _GIVEN, _length(1_000), _TEXT]
OptionalBody = Annotated[str | None, _GIVEN, _length(4_000), _TEXT]
OptionalInstant = Annotated[str | None, _GIVEN, _length(40), _read_by(instant), _TEXT]
OptionalDay = Annotated[str | None, _GIVEN, _length(40), _read_by(day), _TEXT]
Fields = Annotated[list[Annotated[str, _length(40)]] | None, _GIVEN, AfterValidator(_few), _TEXTS]
Kinds = Annotated[list[ActivityKind] | None, _GIVEN, AfterValidator(_few), _TEXTS]
Kind = Annotated[ActivityKind, Field()]
OptionalDirection = Annotated[Direction | None, _GIVEN, WithJsonSchema({"enum": ["inbound", "outbound"]})]
OptionalStatus = Annotated[ContactStatus | None, _GIVEN, WithJsonSchema({"enum": ["active", "left", "bounced"]})]
OptionalState = Annotated[StageKind | None, _GIVEN, WithJsonSchema({"enum": ["open", "won", "lost"]})]
OptionalSection = Annotated[
    SectionName | None,
    _GIVEN,
    WithJsonSchema({"enum": ["account", "contacts", "open_deals", "activities", "changes", "quality"]}),
]
Version = Annotated[int, Field(ge=1, le=MOST_VERSION), _NUMBER]
Minor = Annotated[int | None, _GIVEN, Field(ge=0), _NUMBER]
Count = Annotated[int | None, _GIVEN, Field(ge=0, le=100_000), _NUMBER]
Score = Annotated[float | None, _GIVEN, Field(ge=0, le=100, allow_inf_nan=False), _SCORE]
Changes = Annotated[dict[str, Any], AfterValidator(_few), WithJsonSchema({"type": "object"})]
Limit = Annotated[paging.Limit, _NUMBER]
Cursor = Annotated[paging.Cursor | None, WithJsonSchema({"type": ["string", "null"]})]  # as the last page has it
IdempotencyKey = Annotated[effects.IdempotencyKey | None, _GIVEN, _TEXT]

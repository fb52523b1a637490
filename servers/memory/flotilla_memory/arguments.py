"""Arguments of the tools, listed in few bytes: a model reads every tool before every call.

A schema says the type and what cannot be guessed; what else an argument must be is checked here and said when it is
not. None is changed: bounds and approvals are of what a caller wrote. An optional argument but the cursor is left out,
not null.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, NotRequired

from flotilla_kit import effects, paging
from pydantic import AfterValidator, Field, WithJsonSchema
from typing_extensions import TypedDict  # Pydantic wants this one before Python 3.12

from .models import PassageKind
from .records import MemoryKind
from .times import day, instant, instant_or_day

MOST = 20  # in a list


def _given(value: object) -> object:
    if value is None:
        raise ValueError("must be left out instead of null")
    return value


def _length(longest: int, shortest: int = 1) -> AfterValidator:
    def check(text: str) -> str:
        if not shortest <= len(text) <= longest:
            raise ValueError(f"must be a text of {shortest} to {longest} characters")
        return text

    return AfterValidator(check)


def _read_by(read: Callable[[str], str]) -> AfterValidator:
    def check(said: str) -> str:
        read(said)
        return said

    return AfterValidator(check)


def _few(values: Sequence[object]) -> Sequence[object]:
    if len(values) > MOST:
        raise ValueError(f"must have at most {MOST} entries")
    return values


_GIVEN = AfterValidator(_given)
_TEXT, _NUMBER = WithJsonSchema({"type": "string"}), WithJsonSchema({"type": "integer"})
_TEXTS = WithJsonSchema({"type": "array", "items": {"type": "string"}})

AccountId = Annotated[str, _length(200, 0)]
OptionalAccountId = Annotated[str | None, _GIVEN, _length(200, 0), _TEXT]
Query = Annotated[str, _length(2_000)]
Words = Annotated[str, _length(500)]
DocumentId = Annotated[str, _length(4_096)]  # as a path on Linux
Offset = Annotated[int, Field(ge=0), _NUMBER]
Statement = Annotated[str, _length(4_000)]
Name = Annotated[str, _length(200)]
OptionalName = Annotated[str | None, _GIVEN, _length(200), _TEXT]
Channel = Annotated[str, _length(40)]
Instant = Annotated[str, _length(40), _read_by(instant)]
OptionalInstant = Annotated[str | None, _GIVEN, _length(40), _read_by(instant), _TEXT]
OptionalTime = Annotated[str | None, _GIVEN, _length(40), _read_by(instant_or_day), _TEXT]
OptionalDay = Annotated[str | None, _GIVEN, _length(40), _read_by(day), _TEXT]
PassageIds = Annotated[list[Annotated[str, _length(40)]] | None, _GIVEN, AfterValidator(_few), _TEXTS]
TargetId = Annotated[str, Field(pattern=r"^(account|(mem|ep|ent)_\w{20})$")]  # said, so that the audit keeps it
Kinds = Annotated[list[PassageKind] | None, _GIVEN, AfterValidator(_few), _TEXTS]
TimelineKinds = Annotated[list[MemoryKind | Literal["episode"]] | None, _GIVEN, AfterValidator(_few), _TEXTS]
Depth = Annotated[int, Field(ge=1, le=2)]
MaxChars = Annotated[int, Field(ge=500, le=100_000), _NUMBER]
Limit = Annotated[paging.Limit, _NUMBER]
Cursor = Annotated[paging.Cursor | None, WithJsonSchema({"type": ["string", "null"]})]  # as the last page has it
IdempotencyKey = Annotated[effects.IdempotencyKey | None, _GIVEN, _TEXT]


# No docstrings: they would be in the schema.
class GivenTurn(TypedDict):
    speaker: NotRequired[Name]
    text: Annotated[str, _length(20_000)]
    occurred_at: NotRequired[Instant]


class GivenRelation(TypedDict):
    subject: Name
    predicate: Name
    object: Name


def _turns(turns: Sequence[object]) -> Sequence[object]:
    if not 1 <= len(turns) <= 1_000:
        raise ValueError("must have 1 to 1000 turns")
    return turns


Turns = Annotated[list[GivenTurn], AfterValidator(_turns)]
Relations = Annotated[list[GivenRelation], AfterValidator(_few)]

"""Arguments of the tools."""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired

from flotilla_kit.arguments import GIVEN, NUMBER, TEXT, TEXTS, Name, at_most, length, read_by
from flotilla_kit.times import instant, instant_or_day
from pydantic import AfterValidator, Field
from typing_extensions import TypedDict  # Pydantic wants this one before Python 3.12

from .models import PassageKind
from .records import MemoryKind

MOST = 20  # in a list

AccountId = Annotated[str, length(200, 0)]
OptionalAccountId = Annotated[str | None, GIVEN, length(200, 0), TEXT]
Query = Annotated[str, length(2_000)]
Words = Annotated[str, length(500)]
DocumentId = Annotated[str, length(4_096)]  # as a path on Linux
Offset = Annotated[int, Field(ge=0), NUMBER]
Statement = Annotated[str, length(4_000)]
Channel = Annotated[str, length(40)]
Instant = Annotated[str, length(40), read_by(instant)]
OptionalTime = Annotated[str | None, GIVEN, length(40), read_by(instant_or_day), TEXT]
PassageIds = Annotated[list[Annotated[str, length(40)]] | None, GIVEN, at_most(MOST), TEXTS]
TargetId = Annotated[str, Field(pattern=r"^(account|(mem|ep|ent)_\w{20})$")]  # said, so that the audit keeps it
Kinds = Annotated[list[PassageKind] | None, GIVEN, at_most(MOST), TEXTS]
TimelineKinds = Annotated[list[MemoryKind | Literal["episode"]] | None, GIVEN, at_most(MOST), TEXTS]
Depth = Annotated[int, Field(ge=1, le=2)]
MaxChars = Annotated[int, Field(ge=500, le=100_000), NUMBER]


# No docstrings: they would be in the schema.
class GivenTurn(TypedDict):
    speaker: NotRequired[Name]
    text: Annotated[str, length(20_000)]
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
Relations = Annotated[list[GivenRelation], at_most(MOST)]

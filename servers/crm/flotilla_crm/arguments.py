"""Arguments of the tools. What the value of a record's field must be is checked where it is read."""

from typing import Annotated, Any

from flotilla_kit.arguments import GIVEN, NUMBER, TEXT, TEXTS, at_most, length
from pydantic import Field, WithJsonSchema

from .records import ActivityKind, ContactStatus, Direction, SectionName, StageKind

MOST = 40  # in a list
MOST_VERSION = 2**31 - 1
_SCORE = WithJsonSchema({"type": "number"})

Id = Annotated[str, length(64)]
OptionalId = Annotated[str | None, GIVEN, length(64), TEXT]
Query = Annotated[str, length(200)]
Address = Annotated[str, length(254)]
OptionalText = Annotated[str | None, GIVEN, length(1_000), TEXT]
OptionalBody = Annotated[str | None, GIVEN, length(4_000), TEXT]
Fields = Annotated[list[Annotated[str, length(40)]] | None, GIVEN, at_most(MOST), TEXTS]
Kinds = Annotated[list[ActivityKind] | None, GIVEN, at_most(MOST), TEXTS]
OptionalDirection = Annotated[Direction | None, GIVEN, WithJsonSchema({"enum": ["inbound", "outbound"]})]
OptionalStatus = Annotated[ContactStatus | None, GIVEN, WithJsonSchema({"enum": ["active", "left", "bounced"]})]
OptionalState = Annotated[StageKind | None, GIVEN, WithJsonSchema({"enum": ["open", "won", "lost"]})]
OptionalSection = Annotated[
    SectionName | None,
    GIVEN,
    WithJsonSchema({"enum": ["account", "contacts", "open_deals", "activities", "changes", "quality"]}),
]
Version = Annotated[int, Field(ge=1, le=MOST_VERSION), NUMBER]
Minor = Annotated[int | None, GIVEN, Field(ge=0), NUMBER]
Count = Annotated[int | None, GIVEN, Field(ge=0, le=100_000), NUMBER]
Score = Annotated[float | None, GIVEN, Field(ge=0, le=100, allow_inf_nan=False), _SCORE]
Changes = Annotated[dict[str, Any], at_most(MOST), WithJsonSchema({"type": "object"})]

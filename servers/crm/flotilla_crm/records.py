"""What a record is: the types of records, their fields, and what each field can be."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sqlalchemy import Table

from . import schema

RecordType = Literal["account", "contact", "deal", "activity"]
FieldKind = Literal[
    "text", "email", "phone", "domain", "money", "currency", "number", "day", "instant", "choice", "flag", "user", "id"
]
ActivityKind = Literal["call", "email", "meeting", "task", "ticket", "note"]
Direction = Literal["inbound", "outbound"]
ContactStatus = Literal["active", "left", "bounced"]
StageKind = Literal["open", "won", "lost"]
SectionName = Literal["account", "contacts", "open_deals", "activities", "changes", "quality"]
"""A part of a review."""

DEFAULT_PIPELINE = "sales"
NAME, TEXT, BODY = 200, 1_000, 4_000  # characters of names, descriptions, and what was said


@dataclass(frozen=True)
class Field:
    """A field of a record. `choices` are the only values of a `choice`; `fixed`: set once, when the record is made."""

    name: str
    kind: FieldKind = "text"
    longest: int = NAME
    choices: tuple[str, ...] = ()
    fixed: bool = False
    required: bool = False


@dataclass(frozen=True)
class Type:
    """A type of records: its table, the prefix of new ids, and its fields; `terse` are those that lists show."""

    name: RecordType
    table: Table
    prefix: str
    fields: tuple[Field, ...]
    terse: tuple[str, ...]

    @property
    def id(self) -> str:
        """The name of the id: `contact_id`."""
        return f"{self.name}_id"

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        return {field.name: field for field in self.fields}

    @property
    def always(self) -> tuple[str, ...]:
        """What every answer shows of a record: without it nothing could be done with it."""
        return tuple(dict.fromkeys([self.id, "account_id", "version"]))


ACCOUNT = Type(
    "account",
    schema.accounts,
    "acc",
    (
        Field("name", required=True),
        Field("domain", "domain"),
        Field("industry"),
        Field("phone", "phone"),
        Field("segment"),
        Field("status", "choice", choices=("prospect", "customer", "former")),
        Field("owner_id", "user"),
        Field("billing_customer_id", "id"),
        Field("renewal_on", "day"),
        Field("satisfaction", "number"),
        Field("description", longest=TEXT),
    ),
    ("name", "domain", "status", "owner_id", "renewal_on"),
)
CONTACT = Type(
    "contact",
    schema.contacts,
    "con",
    (
        Field("account_id", "id", fixed=True),
        Field("first_name"),
        Field("last_name"),
        Field("email", "email"),
        Field("phone", "phone"),
        Field("title"),
        Field("role", "choice", choices=("champion", "decision_maker", "billing", "user", "blocker")),
        Field("status", "choice", choices=("active", "left", "bounced")),
        Field("owner_id", "user"),
        Field("description", longest=TEXT),
        Field("merged_into", "id", fixed=True),
    ),
    ("first_name", "last_name", "email", "title", "role", "status"),
)
DEAL = Type(
    "deal",
    schema.deals,
    "deal",
    (
        Field("account_id", "id", fixed=True, required=True),
        Field("name", required=True),
        Field("pipeline_id", "id", fixed=True, required=True),
        Field("stage", required=True),
        Field("amount_minor", "money"),
        Field("currency", "currency"),
        Field("close_on", "day"),
        Field("owner_id", "user"),
        Field("next_step", longest=TEXT),
        Field("description", longest=TEXT),
    ),
    ("name", "stage", "amount_minor", "currency", "close_on", "owner_id"),
)
ACTIVITY = Type(
    "activity",
    schema.activities,
    "act",
    (
        Field("account_id", "id", fixed=True, required=True),
        Field("contact_id", "id"),
        Field("deal_id", "id"),
        Field("kind", "choice", choices=("call", "email", "meeting", "task", "ticket", "note"), required=True),
        Field("direction", "choice", choices=("inbound", "outbound")),
        Field("subject"),
        Field("body", longest=BODY),
        Field("occurred_at", "instant", required=True),
        Field("due_on", "day"),
        Field("done", "flag"),
        Field("priority", "choice", choices=("P1", "P2", "P3", "P4")),
        Field("owner_id", "user"),
    ),
    ("contact_id", "deal_id", "kind", "direction", "subject", "body", "occurred_at", "done", "priority"),
)
TYPES: Mapping[str, Type] = {kind.name: kind for kind in (ACCOUNT, CONTACT, DEAL, ACTIVITY)}

"""The columns of CSV files: ours are the fields of records, and the exports of other CRMs are known by theirs.

The spellings are those of the exports of Zoho CRM (module → Export), HubSpot (index page → Export) and Salesforce
(reports, with the standard field labels). Whatever else a file calls a column, `--map THEIRS=OURS` says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..records import ACCOUNT, ACTIVITY, CONTACT, DEAL, Type


@dataclass(frozen=True)
class Table:
    """A file of one type of records: which columns it must have, and what others call each column, in lower case."""

    kind: Type
    noun: str
    required: Sequence[str]
    own: Sequence[str]
    """Columns of ours that are no fields, such as the account's name."""
    other_names: Mapping[str, str]

    @property
    def columns(self) -> list[str]:
        """All that an export of ours has."""
        return [self.kind.id, *(name for name in self.kind.by_name if name != "merged_into"), *self.own]

    def fits(self, path: Path) -> bool:
        """Whether the header of a file says that it is one of these, and of no other type."""
        try:
            with path.open(encoding="utf-8-sig") as file:
                first = file.readline(10_000)
        except (OSError, UnicodeDecodeError):
            return False
        separator = ";" if first.count(";") > first.count(",") else ","
        names = {cell.strip().strip('"').lower() for cell in first.split(separator)}
        return [table.noun for table in TABLES if table.has(names)] == [self.noun]

    def has(self, names: set[str]) -> bool:
        """Whether these column names are such a file's."""
        # Activities name their contacts and deals too, and all of them their accounts.
        if own := next((kind for kind in (ACTIVITY, DEAL, CONTACT) if kind.id in names), None):
            return self.kind is own
        known = {self.other_names.get(name, name) for name in names}
        return known >= set(self.required) and not any(sign in names for sign in _SIGNS if sign not in self._signs)

    @property
    def _signs(self) -> set[str]:
        return {*self.other_names, *self.kind.by_name}


# What a file of one type has and a file of another does not.
_SIGNS = (
    "last name",
    "last_name",
    "deal name",
    "opportunity name",
    "stage",
    "activity type",
    "occurred_at",
)
CONTACTS = Table(
    CONTACT,
    "contacts",
    ("last_name",),
    ("account_name",),
    {
        "record id": "contact_id",
        "contact id": "contact_id",
        "first name": "first_name",
        "last name": "last_name",
        "email address": "email",
        "phone number": "phone",
        "job title": "title",
        "contact owner": "owner_id",
        "owner": "owner_id",
        "account id": "account_id",
        "account name": "account_name",
        "account name.id": "account_id",
        "associated company": "account_name",
        "primary associated company id": "account_id",
        "buying role": "role",
    },
)
ACCOUNTS = Table(
    ACCOUNT,
    "accounts",
    ("name",),
    (),
    {
        "record id": "account_id",
        "account id": "account_id",
        "account name": "name",
        "company name": "name",
        "website": "domain",
        "company domain name": "domain",
        "phone number": "phone",
        "account owner": "owner_id",
        "company owner": "owner_id",
        "owner": "owner_id",
        "renewal date": "renewal_on",
        "billing customer id": "billing_customer_id",
    },
)
DEALS = Table(
    DEAL,
    "deals",
    ("name", "stage"),
    ("amount", "account_name"),
    {
        "record id": "deal_id",
        "deal id": "deal_id",
        "opportunity id": "deal_id",
        "deal name": "name",
        "opportunity name": "name",
        "deal stage": "stage",
        "pipeline": "pipeline_id",
        "closing date": "close_on",
        "close date": "close_on",
        "amount currency": "currency",
        "deal currency code": "currency",
        "opportunity currency": "currency",
        "deal owner": "owner_id",
        "opportunity owner": "owner_id",
        "owner": "owner_id",
        "next step": "next_step",
        "account id": "account_id",
        "account name": "account_name",
        "account name.id": "account_id",
        "associated company": "account_name",
        "primary associated company id": "account_id",
    },
)
ACTIVITIES = Table(
    ACTIVITY,
    "activities",
    ("kind", "occurred_at"),
    ("account_name", "contact_email"),
    {
        "record id": "activity_id",
        "activity id": "activity_id",
        "activity type": "kind",
        "type": "kind",
        "activity date": "occurred_at",
        "date": "occurred_at",
        "created time": "occurred_at",
        "comments": "body",
        "notes": "body",
        "full comments": "body",
        "due date": "due_on",
        "assigned": "owner_id",
        "activity owner": "owner_id",
        "account id": "account_id",
        "account name": "account_name",
        "company / account": "account_name",
        "related to": "account_name",
        "email": "contact_email",
        "contact email": "contact_email",
    },
)
TABLES = (ACCOUNTS, CONTACTS, DEALS, ACTIVITIES)

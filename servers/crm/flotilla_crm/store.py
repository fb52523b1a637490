"""What a CRM backend promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flotilla_kit.effects import Effect
from flotilla_kit.paging import Page
from flotilla_kit.storage import Database

from .health.score import Given
from .models import Changed, DuplicatePair, FieldChange, Found, Health, Record, Review, Risks, User
from .reading.asked import ActivityFilter, Asked
from .records import SectionName, StageKind


@dataclass(frozen=True)
class Caller:
    """Whose records: one account's where the caller's token says so, and which fields of them, as it lists them."""

    account_id: str | None = None
    read_fields: str | None = None
    write_fields: str | None = None


class CrmStore(Protocol):
    """What is of another account than the caller's does not exist, by whatever id or cursor it is asked for.

    Reads raise `NotFound` of what is not there, `InvalidCursor`, and `InvalidArguments` of fields that are none.
    Changes happen once for their effect; they raise `ApprovalNeeded`, `IdempotencyMismatch`, `IdempotencyKeyRequired`,
    `FieldNotAllowed`, `InvalidArguments` of values that are none of their fields', and then nothing was changed. Every
    method raises `StoreUnavailable` when the database does not answer.
    """

    database: Database

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ping(self) -> None: ...

    async def search_accounts(self, caller: Caller, query: str, asked: Asked) -> Page[Record]:
        """Accounts whose names, or whose contacts' names or addresses, have all words of the query."""
        ...

    async def get_account(self, caller: Caller, account_id: str, fields: Sequence[str] | None) -> Record: ...

    async def list_contacts(
        self, caller: Caller, account_id: str, status: str | None, asked: Asked
    ) -> Page[Record]: ...

    async def list_deals(
        self, caller: Caller, account_id: str | None, owner_id: str | None, state: StageKind | None, asked: Asked
    ) -> Page[Record]: ...

    async def list_activities(
        self, caller: Caller, account_id: str, wanted: ActivityFilter, asked: Asked
    ) -> Page[Record]: ...

    async def list_changes(
        self,
        caller: Caller,
        account_id: str,
        record_id: str | None,
        field: str | None,
        since: str | None,
        asked: Asked,
    ) -> Page[FieldChange]: ...

    async def review(
        self, caller: Caller, account_id: str, section: SectionName | None, cursor: str | None, max_bytes: int
    ) -> Review: ...

    async def contact_by_email(self, caller: Caller, address: str, fields: Sequence[str] | None) -> Found: ...

    async def deal_by_name(self, caller: Caller, name: str, fields: Sequence[str] | None) -> Found: ...

    async def user(self, caller: Caller, said: str | None) -> User:
        """Somebody of ours by id, e-mail address or name; without any, whom the settings name."""
        ...

    async def find_duplicates(self, caller: Caller, account_id: str, asked: Asked) -> Page[DuplicatePair]: ...

    async def health(self, caller: Caller, account_id: str | None, given: Given) -> Health: ...

    async def risks(self, caller: Caller, account_id: str, given: Given) -> Risks: ...

    async def create_contact(self, caller: Caller, effect: Effect, given: Mapping[str, Any]) -> Changed:
        """Write a contact. Raises `DuplicateContact`."""
        ...

    async def update_contact(
        self,
        caller: Caller,
        effect: Effect,
        contact_id: str,
        version: int,
        given: Mapping[str, Any],
        reason: str | None,
    ) -> Changed:
        """Change a contact that is at that version. Raises `VersionConflict`, `DuplicateContact`."""
        ...

    async def create_deal(
        self, caller: Caller, effect: Effect, given: Mapping[str, Any], contacts: Sequence[Mapping[str, Any]]
    ) -> Changed: ...

    async def update_deal(
        self, caller: Caller, effect: Effect, deal_id: str, version: int, given: Mapping[str, Any], reason: str | None
    ) -> Changed:
        """Change a deal that is at that version. Raises `VersionConflict`."""
        ...

    async def log_activity(self, caller: Caller, effect: Effect, given: Mapping[str, Any]) -> Changed: ...

    async def merge_contacts(
        self,
        caller: Caller,
        effect: Effect,
        winner: tuple[str, int],
        loser: tuple[str, int],
        reason: str | None,
    ) -> Changed:
        """Merge two contacts, each an id and the version that the caller saw. Raises `VersionConflict`."""
        ...

"""The embedded backend: SQLite or PostgreSQL by one code path."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from flotilla_kit.effects import Effect
from flotilla_kit.errors import InvalidArguments, NotFound
from flotilla_kit.paging import Page
from flotilla_kit.storage import KIT_MIGRATIONS, Database, Migrations
from flotilla_kit.storage.addresses import store_url

from . import sample
from .access import Access, Allowed, allowed, allowed_by_scope
from .changes import activities, contacts, deals, once
from .health import assess
from .health.risks import Thresholds
from .health.score import Given
from .models import Changed, DuplicatePair, FieldChange, Found, Health, Record, Review, Risks, User
from .reading import duplicates, finding, history, lists
from .reading.asked import ActivityFilter, Asked
from .reading.review import review
from .records import ACTIVITY, CONTACT, DEAL, RecordType, SectionName, StageKind, Type
from .settings import Settings
from .store import Caller
from .values import BadValue, Value, stored

MIGRATIONS = Migrations("crm", Path(__file__).parent / "migrations")
P = ParamSpec("P")


class SqlCrmStore:
    """A `CrmStore` over the embedded database."""

    database: Database

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._readable = _lists(settings.read_fields)
        self._writable = _lists(settings.write_fields)
        self._thresholds = Thresholds(
            no_contact_days=settings.no_contact_days,
            no_inbound_days=settings.no_inbound_days,
            slipped_times=settings.slipped_times,
            stalled_days=settings.stalled_days,
            amount_cut_percent=settings.amount_cut_percent,
            renewal_days=settings.renewal_days,
            payment_overdue_days=settings.payment_overdue_days,
        )

    async def open(self) -> None:
        settings = self._settings
        self.database = await Database.open(
            store_url(settings), [KIT_MIGRATIONS, MIGRATIONS], read_only=settings.read_only
        )
        if settings.demo_data and not settings.read_only and await self.database.read(sample.is_empty):
            await self.database.write(sample.load)

    async def close(self) -> None:
        await self.database.close()

    async def ping(self) -> None:
        await self.database.ping()

    async def search_accounts(self, caller: Caller, query: str, asked: Asked) -> Page[Record]:
        return await self.database.read(finding.search_accounts, self._access(caller), query, asked)

    async def get_account(self, caller: Caller, account_id: str, fields: Sequence[str] | None) -> Record:
        return await self.database.read(lists.get_account, self._access(caller), account_id, fields)

    async def list_contacts(self, caller: Caller, account_id: str, status: str | None, asked: Asked) -> Page[Record]:
        return await self.database.read(lists.list_contacts, self._access(caller), account_id, status, asked)

    async def list_deals(
        self, caller: Caller, account_id: str | None, owner_id: str | None, state: StageKind | None, asked: Asked
    ) -> Page[Record]:
        of = (account_id, owner_id, state)
        return await self.database.read(lists.list_deals, self._access(caller), *of, asked)

    async def list_activities(
        self, caller: Caller, account_id: str, wanted: ActivityFilter, asked: Asked
    ) -> Page[Record]:
        return await self.database.read(lists.list_activities, self._access(caller), account_id, wanted, asked)

    async def list_changes(
        self, caller: Caller, account_id: str, record_id: str | None, field: str | None, since: str | None, asked: Asked
    ) -> Page[FieldChange]:
        which = (account_id, record_id, field, since)
        return await self.database.read(history.list_changes, self._access(caller), *which, asked)

    async def review(
        self, caller: Caller, account_id: str, section: SectionName | None, cursor: str | None, max_bytes: int
    ) -> Review:
        asked = (account_id, self._settings.today, section, cursor, max_bytes)
        return await self.database.read(review, self._access(caller), *asked)

    async def contact_by_email(self, caller: Caller, address: str, fields: Sequence[str] | None) -> Found:
        return await self.database.read(finding.contact_by_email, self._access(caller), address, fields)

    async def deal_by_name(self, caller: Caller, name: str, fields: Sequence[str] | None) -> Found:
        return await self.database.read(finding.deal_by_name, self._access(caller), name, fields)

    async def user(self, caller: Caller, said: str | None) -> User:
        del caller
        if (wanted := said or self._settings.user) is None:
            raise NotFound("The settings name no user.", suggestion="Pass an id, e-mail address or name.")
        return await self.database.read(finding.user, wanted)

    async def find_duplicates(self, caller: Caller, account_id: str, asked: Asked) -> Page[DuplicatePair]:
        return await self.database.read(duplicates.find, self._access(caller), account_id, asked)

    async def health(self, caller: Caller, account_id: str | None, given: Given) -> Health:
        today = self._settings.today
        return await self.database.read(assess.health_of, self._access(caller), account_id, given, today)

    async def risks(self, caller: Caller, account_id: str, given: Given) -> Risks:
        asked = (account_id, given, self._thresholds, self._settings.today)
        return await self.database.read(assess.risks_of, self._access(caller), *asked)

    async def create_contact(self, caller: Caller, effect: Effect, given: Mapping[str, Any]) -> Changed:
        access = self._access(caller)
        values = self._values(access, CONTACT, given)
        return await self._once(contacts.create, once.Change(access, effect), values)

    async def update_contact(
        self,
        caller: Caller,
        effect: Effect,
        contact_id: str,
        version: int,
        given: Mapping[str, Any],
        reason: str | None,
    ) -> Changed:
        access = self._access(caller)
        values = self._values(access, CONTACT, given, made=True)
        return await self._once(contacts.update, once.Change(access, effect, reason), contact_id, version, values)

    async def create_deal(
        self, caller: Caller, effect: Effect, given: Mapping[str, Any], contacts: Sequence[Mapping[str, Any]]
    ) -> Changed:
        access = self._access(caller)
        values = self._values(access, DEAL, given)
        return await self._once(deals.create, once.Change(access, effect), values, contacts)

    async def update_deal(
        self, caller: Caller, effect: Effect, deal_id: str, version: int, given: Mapping[str, Any], reason: str | None
    ) -> Changed:
        access = self._access(caller)
        values = self._values(access, DEAL, given, made=True)
        return await self._once(deals.update, once.Change(access, effect, reason), deal_id, version, values)

    async def log_activity(self, caller: Caller, effect: Effect, given: Mapping[str, Any]) -> Changed:
        access = self._access(caller)
        waits = self._settings.log_activity_approval == "always"
        values = self._values(access, ACTIVITY, given)
        return await self._once(activities.log, once.Change(access, effect, approval=waits), values)

    async def merge_contacts(
        self, caller: Caller, effect: Effect, winner: tuple[str, int], loser: tuple[str, int], reason: str | None
    ) -> Changed:
        change = once.Change(self._access(caller), effect, reason)
        return await self._once(contacts.merge, change, winner[0], loser[0], winner[1], loser[1])

    def _access(self, caller: Caller) -> Access:
        return Access(
            caller.account_id,
            (*self._readable, *allowed_by_scope(caller.read_fields)),
            (*self._writable, *allowed_by_scope(caller.write_fields)),
        )

    def _values(
        self, access: Access, kind: Type, given: Mapping[str, Any], *, made: bool = False
    ) -> Mapping[str, Value]:
        """What is written, as the store keeps it; of a record that was `made` before, no field that is set once."""
        try:
            if made and not given:
                raise BadValue("changes", "has no field")
            fixed = [name for name in given if made and (field := kind.by_name.get(name)) and field.fixed]
            if fixed:
                raise BadValue(fixed[0], "cannot be changed")
            values = stored(kind, given, self._settings.phone_region)
        except BadValue as bad:
            raise InvalidArguments(f"{bad.field} {bad.problem}.", suggestion="Nothing was written.") from None
        name: RecordType = kind.name
        once.check_writable(access, name, [field for field, value in values.items() if made or value is not None])
        return values

    async def _once(
        self,
        change: Callable[Concatenate[Any, once.Change, P], once.Outcome],
        asked: once.Change,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Changed:
        outcome = await self.database.write_unique(change, asked, *args, **kwargs)
        return Changed.model_validate({**outcome, "warnings": outcome.get("warnings") or None})


def _lists(said: tuple[str, ...] | None) -> Sequence[Allowed]:
    return () if said is None else (allowed(said),)

"""A worker bound to one account gets nothing of another: by no id, filter, merge, address or error."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from flotilla_crm.access import Access
from flotilla_crm.changes import activities, contacts, deals
from flotilla_crm.changes.once import Change
from flotilla_crm.settings import Settings
from flotilla_crm.sql_store import SqlCrmStore
from flotilla_kit.effects import Effect
from flotilla_kit.errors import FlotillaError
from support.crm_client import ACME, OTHER, prepared

OURS, EVERYBODY = Access(ACME), Access()


class Store:
    """A store with a contact and a deal of each account, and one contact of none."""

    def __init__(self, store: SqlCrmStore) -> None:
        self.store = store
        self.ids: dict[str, str] = {}

    async def change(self, access: Access, make: Any, *args: Any) -> dict[str, Any]:
        key = f"key {len(self.ids)} {args}"
        effect = Effect(principal="worker", run="run", tool="any", key=key[:200], digest=key, server="crm")
        return await self.store.database.write(make, Change(access, effect, approval=False), *args)

    async def refused(self, make: Any, *args: Any) -> str:
        """What the worker is told."""
        with pytest.raises(FlotillaError) as refused:
            await self.change(OURS, make, *args)
        return str(refused.value)


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncGenerator[Store]:
    settings = Settings.load({"home": tmp_path, "database_url": database_url})
    await prepared(settings)
    opened = SqlCrmStore(settings)
    await opened.open()
    both = Store(opened)
    for name, account in (("ours", ACME), ("theirs", OTHER), ("nobodys", None)):
        given = {"account_id": account, "last_name": "Berg", "email": f"{name}@acme.example", "phone": "+4722123456"}
        both.ids[name] = (await both.change(EVERYBODY, contacts.create, given))["contact_id"]
    deal = {"account_id": OTHER, "name": "Theirs", "pipeline_id": "sales"}
    both.ids["deal"] = (await both.change(EVERYBODY, deals.create, deal, []))["deal_id"]
    yield both
    await opened.close()


async def test_what_is_of_others_is_refused_like_what_is_not_there(store: Store) -> None:
    absent, deal = "con_0123456789abcdef0123", "deal_0123456789abcdef0123"
    ours = store.ids["ours"]
    activity = {"account_id": ACME, "kind": "call"}
    new_deal = {"account_id": ACME, "name": "x", "pipeline_id": "sales"}
    for theirs in (store.ids["theirs"], store.ids["nobodys"]):
        for make, args, twin in (
            (contacts.update, (theirs, 1, {"title": "x"}), (absent, 1, {"title": "x"})),
            (contacts.update, (theirs, 9, {"title": "x"}), (absent, 9, {"title": "x"})),
            (contacts.merge, (ours, theirs, 1, 1), (ours, absent, 1, 1)),
            (contacts.merge, (theirs, ours, 1, 1), (absent, ours, 1, 1)),
            (activities.log, ({**activity, "contact_id": theirs},), ({**activity, "contact_id": absent},)),
            (deals.create, (new_deal, [{"contact_id": theirs}]), (new_deal, [{"contact_id": absent}])),
        ):
            assert await store.refused(make, *args) == await store.refused(make, *twin)
    theirs = store.ids["deal"]
    assert await store.refused(deals.update, theirs, 1, {"stage": "Proposal"}) == await store.refused(
        deals.update, deal, 1, {"stage": "Proposal"}
    )
    assert await store.refused(activities.log, {**activity, "deal_id": theirs}) == await store.refused(
        activities.log, {**activity, "deal_id": deal}
    )


async def test_an_address_or_phone_of_others_neither_blocks_nor_warns(store: Store) -> None:
    given = {"account_id": ACME, "last_name": "Berg", "email": "theirs@acme.example"}
    made = await store.change(OURS, contacts.create, given)
    assert made["warnings"] == [{"contact_id": store.ids["ours"], "name": "Berg", "why": ["similar_name"]}]
    again = await store.change(OURS, contacts.update, store.ids["ours"], 1, {"email": "nobodys@acme.example"})
    assert again["version"] == 2


async def test_whoever_may_see_all_is_blocked_by_any_account(store: Store) -> None:
    given = {"account_id": ACME, "last_name": "Berg", "email": "Theirs@acme.example"}
    with pytest.raises(FlotillaError) as refused:
        await store.change(EVERYBODY, contacts.create, given)
    assert refused.value.details == {"contact_id": store.ids["theirs"]}

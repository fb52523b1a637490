"""Two writers of one record: the second hears what changed, by whom and when, and nothing is lost."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from fastmcp import Client
from flotilla_crm.access import Access
from flotilla_crm.changes import contacts
from flotilla_crm.changes.once import Change
from flotilla_crm.errors import VersionConflict
from flotilla_crm.server import create_server
from flotilla_crm.settings import Settings
from flotilla_crm.sql_store import SqlCrmStore
from flotilla_crm.writing import history
from flotilla_kit.effects import Effect
from flotilla_kit.testing import share
from support.crm_client import ACME, Crm, prepared

WRITERS, RECORDS = 200, 20


async def test_of_two_clients_the_stale_one_hears_what_changed_reads_again_and_succeeds(crm: Crm) -> None:
    made = await crm.contact(title="Clerk")
    async with Client(create_server(crm.settings)) as client:
        other = Crm(client, crm.settings)
        seen = {"contact_id": made["contact_id"], "version": 1}
        assert (await crm.approved("update_contact", **seen, changes={"title": "CTO", "role": "user"}))["version"] == 2
        refused = await other.approved("update_contact", idempotency_key="o1", **seen, changes={"title": "CEO"})
        assert refused["code"] == "version_conflict"
        details = refused["details"]
        (clash,) = details["clashing"]
        assert (clash["field"], clash["yours"], clash["current"]) == ("title", "CEO", "CTO")
        assert clash["changed_by"] == "owner" and clash["changed_at"] and details["also_changed"] == ["role"]
        again = {"contact_id": made["contact_id"], "version": details["current_version"]}
        done = await other.approved("update_contact", idempotency_key="o2", **again, changes={"title": "CEO"})
        assert done["version"] == 3


async def test_a_stale_change_is_refused_before_a_person_is_asked(crm: Crm) -> None:
    made = await crm.deal()
    await crm.approved("update_deal", deal_id=made["deal_id"], version=1, changes={"next_step": "Call"})
    refused = await crm.call("update_deal", deal_id=made["deal_id"], version=1, changes={"stage": "Proposal"})
    assert refused["code"] == "version_conflict" and refused["details"]["clashing"] == []


async def test_a_person_sees_the_fields_as_they_are_and_as_they_shall_be(crm: Crm) -> None:
    made = await crm.deal(amount_minor=490_000, currency="USD")
    said = {"deal_id": made["deal_id"], "version": 1, "changes": {"amount_minor": 90_000, "stage": "Proposal"}}
    asked = await crm.call("update_deal", **said, idempotency_key="k")
    assert asked["code"] == "approval_required"
    facts = asked["details"]["facts"]
    assert facts["current"] == {"amount_minor": 490_000, "stage": "Qualification"}
    assert facts["deal"] == {"name": "Licences"}
    assert (facts["deal_id"], facts["account_id"]) == (made["deal_id"], ACME)


@pytest.mark.prove
async def test_of_two_hundred_writers_no_update_is_lost_and_every_loser_hears_what_changed(
    database_url: str, tmp_path: Path
) -> None:
    settings = Settings.load({"home": tmp_path, "database_url": database_url})
    await prepared(settings)
    store = SqlCrmStore(settings)
    await store.open()
    ids = [await _contact(store, number) for number in range(RECORDS)]
    draw = random.Random(7)
    lost = Counter[str]()

    async def write(number: int) -> None:
        """Append a letter to a title, from whatever version was read; try again until it is there."""
        contact_id = draw.choice(ids)
        version = 1
        while True:
            try:
                await store.database.write(
                    contacts.update,
                    _change(f"w{number} {version}"),
                    contact_id,
                    version,
                    {"title": f"writer {number}"},
                )
                return
            except VersionConflict as conflict:
                lost[contact_id] += 1
                (clash,) = conflict.details["clashing"]
                assert clash["field"] == "title" and clash["current"] != clash["yours"] and clash["changed_by"]
                assert conflict.details["current_version"] > version
                version = conflict.details["current_version"]

    writers = share(WRITERS)
    await asyncio.gather(*(write(number) for number in range(writers)))
    versions = [(await store.database.read(history.replay, "contact", one))[0] for one in ids]
    assert sum(versions) == RECORDS + writers, "each write made one version"
    assert lost.total() >= writers - RECORDS
    await store.close()


async def _contact(store: SqlCrmStore, number: int) -> str:
    given = {"account_id": ACME, "last_name": f"Nemo {number}"}
    return str((await store.database.write(contacts.create, _change(f"make {number}"), given))["contact_id"])


def _change(key: str) -> Change:
    effect = Effect(principal="worker", run="run_1", tool="update_contact", key=key, digest=key, server="crm")
    return Change(Access(), effect, approval=False)

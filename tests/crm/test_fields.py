"""What may be read and written is said field by field, in settings and in a mandate's scope."""

from collections.abc import Callable
from typing import Any

import pytest
from fastmcp import Client
from flotilla_crm.access import Access, allowed, allowed_by_scope
from flotilla_crm.server import create_server
from flotilla_crm.settings import Settings
from flotilla_kit.settings import SettingsError
from support.crm_client import ACME, Crm, prepared

Of = Callable[..., Settings]
READABLE = "account.name,contact.last_name,contact.role,deal.name,deal.stage"


@pytest.fixture
async def filled(settings_of: Of) -> Settings:
    """A store with a contact, a deal and a call, for servers that show less of it."""
    settings = settings_of()
    await prepared(settings)
    async with Client(create_server(settings)) as client:
        crm = Crm(client, settings)
        made = await crm.contact("Berg", email="ase@acme.example", title="SECRET title", role="champion")
        await crm.deal(amount_minor=7391846, currency="USD")
        await crm.activity(contact_id=made["contact_id"], subject="SECRET call", occurred_at="2026-01-01")
        await crm.approved("update_contact", contact_id=made["contact_id"], version=1, changes={"title": "SECRET2"})
    return settings


async def test_what_is_not_readable_is_in_no_answer(filled: Settings, settings_of: Of) -> None:
    settings = settings_of(read_fields=READABLE)
    async with Client(create_server(settings)) as client:
        crm = Crm(client, settings)
        for tool, arguments in (
            ("search_accounts", {"query": "acme"}),
            ("get_account", {"account_id": ACME}),
            ("list_account_contacts", {"account_id": ACME, "fields": ["title", "email", "last_name"]}),
            ("list_account_deals", {"account_id": ACME, "fields": ["amount_minor", "next_step", "name"]}),
            ("list_account_activities", {"account_id": ACME, "fields": ["subject"]}),
            ("list_field_changes", {"account_id": ACME}),
            ("get_account_review", {"account_id": ACME}),
            ("list_open_deals", {}),
            ("get_deal_by_name", {"name": "licences"}),
            ("find_duplicate_contacts", {"account_id": ACME}),
            ("calculate_account_health_score", {"account_id": ACME}),
            ("detect_risk_signals", {"account_id": ACME}),
        ):
            said = str(await crm.call(tool, **arguments))
            assert "'code'" not in said, f"{tool}: {said}"
            for secret in ("SECRET", "7391846", "ase@"):
                assert secret not in said, f"{tool}: {said}"
        assert (await crm.call("get_contact_by_email", email="ase@acme.example"))["code"] == "not_found"
        for hidden in ("ase@acme.example", "berg", "acme.example"):
            assert (await crm.call("search_accounts", query=hidden))["items"] == []


async def test_a_review_says_which_sections_lack_what(filled: Settings, settings_of: Of) -> None:
    settings = settings_of(read_fields=READABLE)
    async with Client(create_server(settings)) as client:
        sections = (await Crm(client, settings).call("get_account_review", account_id=ACME))["sections"]
        assert {name: section["status"] for name, section in sections.items()} == {
            "account": "partial",
            "contacts": "partial",
            "open_deals": "partial",
            "activities": "unavailable",
            "changes": "partial",
            "quality": "partial",
        }
        risks = await Crm(client, settings).call("detect_risk_signals", account_id=ACME)
        assert {"no_contact", "amount_cut"} <= {one["signal"] for one in risks["not_checked"]}


async def test_what_is_not_writable_is_refused_by_name_before_anybody_is_asked(
    filled: Settings, settings_of: Of
) -> None:
    settings = settings_of(write_fields="contact.title,deal.next_step")
    async with Client(create_server(settings)) as client:
        crm = Crm(client, settings)
        (person,) = await crm.contacts()
        said = {"contact_id": person["contact_id"], "version": person["version"]}
        refused = await crm.call("update_contact", **said, changes={"title": "CTO", "role": "user"})
        assert (refused["code"], refused["details"]) == ("field_not_allowed", {"fields": ["role"]})
        assert (await crm.approved("update_contact", **said, changes={"title": "CTO"}))["version"] == 3
        (deal,) = (await crm.call("list_open_deals"))["items"]
        for change in ({"stage": "Closed Won"}, {"amount_minor": 1}, {"owner_id": "usr_lena"}):
            done = await crm.call("update_deal", deal_id=deal["deal_id"], version=1, changes=change)
            assert done["code"] == "field_not_allowed"


def test_a_scope_narrows_what_the_settings_allow() -> None:
    access = Access(readable=(allowed(["contact.email", "contact.title"]), *allowed_by_scope("contact.title, deal.*")))
    assert access.may_read("contact", "title")
    assert not access.may_read("contact", "email") and not access.may_read("deal", "stage")


def test_a_scope_that_is_misspelt_allows_nothing() -> None:
    access = Access(readable=tuple(allowed_by_scope("contacts.email")))
    assert not access.may_read("contact", "email")


def test_a_setting_that_names_no_field_does_not_start(settings_of: Of) -> None:
    with pytest.raises(SettingsError, match=r"contact\.emial"):
        settings_of(read_fields="contact.emial")


@pytest.mark.parametrize(("setting", "waits"), [("always", True), ("never", False)])
async def test_only_activities_can_be_exempt_from_approval(settings_of: Of, setting: str, waits: bool) -> None:
    settings = settings_of(log_activity_approval=setting)
    await prepared(settings)
    async with Client(create_server(settings)) as client:
        crm = Crm(client, settings)
        logged = await crm.call("log_activity", account_id=ACME, kind="note", subject="x", idempotency_key="k")
        assert (logged.get("code") == "approval_required") is waits
        deal: dict[str, Any] = {"account_id": ACME, "name": "x", "idempotency_key": "k"}
        assert (await crm.call("create_deal", **deal))["code"] == "approval_required"

"""Records are made, changed, found and merged, and every change leaves its history."""

from typing import Any

import pytest
from support.crm_client import ACME, OTHER, Crm


async def test_a_contact_is_kept_in_one_form_and_found_by_its_address_in_any_case(crm: Crm) -> None:
    made = await crm.contact("Åse Bergström", email="Ase.B@ACME.example", phone="+47 22 12 34 56", role="champion")
    found = await crm.call("get_contact_by_email", email="ase.b@acme.EXAMPLE")
    assert found["record"]["contact_id"] == made["contact_id"]
    assert found["record"]["email"] == "Ase.B@acme.example" and found["record"]["phone"] == "+4722123456"
    assert found["record"]["version"] == 1 and found["record"]["status"] == "active"


async def test_accounts_are_found_by_words_of_theirs_and_of_their_contacts(crm: Crm) -> None:
    await crm.contact("Bergström", first_name="Åse", email="ase@acme.example")
    await crm.contact("Håkon", account_id=OTHER)
    for query in ("acme", "Acme Frei", "bergstrom", "ASE berg", "acme.example", "ase@acme.example", "freight ase"):
        found = await crm.call("search_accounts", query=query)
        assert [record["account_id"] for record in found["items"]] == [ACME], query
    for query in ("nobody", "acme hakon", "%", "_", "*", "' OR 1=1 --"):
        assert (await crm.call("search_accounts", query=query))["items"] == [], query


async def test_a_renamed_contact_is_found_by_its_new_name_alone(on_sqlite: Crm) -> None:
    made = await on_sqlite.contact("Oldname")
    await on_sqlite.approved(
        "update_contact", contact_id=made["contact_id"], version=1, changes={"last_name": "Newname"}
    )
    assert (await on_sqlite.call("search_accounts", query="oldname"))["items"] == []
    assert [one["account_id"] for one in (await on_sqlite.call("search_accounts", query="newname"))["items"]] == [ACME]


async def test_an_update_changes_only_what_it_says_and_the_history_says_who_and_why(crm: Crm) -> None:
    made = await crm.contact(title="Clerk", phone="+4722123456")
    done = await crm.approved(
        "update_contact", contact_id=made["contact_id"], version=1, changes={"title": "CTO"}, reason="promoted"
    )
    assert (done["version"], done["changed"]) == (2, ["title"])
    (person,) = await crm.contacts(fields=["title", "phone", "last_name"])
    assert (person["title"], person["phone"], person["last_name"]) == ("CTO", "+4722123456", "Berg")
    changes = await crm.call("list_field_changes", account_id=ACME, record_id=made["contact_id"], field="title")
    newest, first = changes["items"]
    assert (newest["old"], newest["new"], newest["actor"], newest["reason"]) == ("Clerk", "CTO", "owner", "promoted")
    assert (first["version"], first["new"]) == (1, "Clerk") and "old" not in first


async def test_null_empties_a_field(on_sqlite: Crm) -> None:
    made = await on_sqlite.contact(title="Clerk", email="c@acme.example")
    await on_sqlite.approved(
        "update_contact", contact_id=made["contact_id"], version=1, changes={"title": None, "email": None}
    )
    (person,) = await on_sqlite.contacts()
    assert "title" not in person and "email" not in person
    assert (await on_sqlite.call("get_contact_by_email", email="c@acme.example"))["code"] == "not_found"


async def test_deals_move_through_the_stages_of_their_pipeline(crm: Crm) -> None:
    made = await crm.deal(amount_minor=490_000, currency="usd", close_on="2026-05-01")
    assert made["stage"] == "Qualification"
    done = await crm.approved("update_deal", deal_id=made["deal_id"], version=1, changes={"stage": "Closed Won"})
    assert done["version"] == 2
    assert (await crm.call("list_open_deals"))["items"] == []
    (won,) = (await crm.call("list_account_deals", account_id=ACME, state="won"))["items"]
    assert (won["stage"], won["amount_minor"], won["currency"]) == ("Closed Won", 490_000, "USD")


async def test_deals_are_found_by_name_open_ones_first(on_sqlite: Crm) -> None:
    lost = await on_sqlite.deal("Licences", stage="Closed Lost")
    long = await on_sqlite.deal("Licences for the depot")
    found = await on_sqlite.call("get_deal_by_name", name="LICENCES")
    assert found["record"]["deal_id"] == lost["deal_id"]
    assert [other["deal_id"] for other in found["others"]] == [long["deal_id"]]
    assert (await on_sqlite.call("get_deal_by_name", name="Licences f"))["record"]["deal_id"] == long["deal_id"]


async def test_open_deals_come_in_the_order_in_which_they_close(crm: Crm) -> None:
    given = ("2026-12-01", "2026-04-01", None, "2026-04-01", None, "9999-12-31")
    made = [
        (await crm.deal(f"Deal {n}", **({"close_on": day} if day else {})))["deal_id"] for n, day in enumerate(given)
    ]
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await crm.call("list_open_deals", limit=1, **cursor)
        seen += [deal["deal_id"] for deal in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    days = dict(zip(made, given, strict=True))
    assert seen == sorted(made, key=lambda one: (days[one] is None, days[one] or "", one))


async def test_a_merge_fills_only_empty_fields_and_takes_over_activities_and_deals(crm: Crm) -> None:
    winner = await crm.contact("Berg", first_name="Åse", title="CTO")
    loser = await crm.contact("Bergh", title="Clerk", email="ase@acme.example", phone="+4722123456")
    call = await crm.activity(contact_id=loser["contact_id"], subject="About the depot")
    deal = await crm.deal(contact_id=loser["contact_id"], contact_role="buyer")
    done = await crm.approved(
        "merge_contacts",
        winner_id=winner["contact_id"],
        winner_version=1,
        loser_id=loser["contact_id"],
        loser_version=1,
    )
    assert (done["changed"], done["moved_activities"], done["moved_deals"]) == (["email", "phone"], 1, 1)
    (person,) = await crm.contacts(fields=["title", "email", "last_name"])
    assert (person["contact_id"], person["title"]) == (winner["contact_id"], "CTO")
    (talk,) = (await crm.call("list_account_activities", account_id=ACME))["items"]
    assert (talk["activity_id"], talk["contact_id"]) == (call["activity_id"], winner["contact_id"])
    assert (await crm.call("search_accounts", query="bergh"))["items"] == []
    gone = await crm.approved("update_contact", contact_id=loser["contact_id"], version=2, changes={"title": "x"})
    assert (gone["code"], gone["details"]) == ("not_found", {"merged_into": winner["contact_id"]})
    changes = await crm.call("list_field_changes", account_id=ACME, record_id=deal["deal_id"], field="contacts")
    assert changes["items"][0]["new"] == [{"contact_id": winner["contact_id"], "role": "buyer"}]


async def test_contacts_of_two_accounts_are_not_merged(on_sqlite: Crm) -> None:
    ours, theirs = await on_sqlite.contact("Berg"), await on_sqlite.contact("Berg", account_id=OTHER)
    done = await on_sqlite.approved(
        "merge_contacts", winner_id=ours["contact_id"], winner_version=1, loser_id=theirs["contact_id"], loser_version=1
    )
    assert done["code"] == "conflict"


async def test_the_same_address_blocks_and_what_is_alike_warns(crm: Crm) -> None:
    known = await crm.contact("Lindqvist", first_name="Maya", email="maya@acme.example", phone="+4722123456")
    again = await crm.approved("create_contact", account_id=ACME, last_name="L", email="MAYA@acme.example")
    assert (again["code"], again["details"]) == ("duplicate_contact", {"contact_id": known["contact_id"]})
    similar = await crm.contact("Lindquist", first_name="Maya", email="m.lindquist@acme.example")
    phone = await crm.contact("Moe", phone="+47 22 12 34 56")
    for made, why in ((similar, "similar_name"), (phone, "same_phone")):
        assert [(one["contact_id"], one["why"]) for one in made["warnings"]] == [(known["contact_id"], [why])]
    pairs = await crm.call("find_duplicate_contacts", account_id=ACME)
    assert sorted(pair["why"][0] for pair in pairs["items"]) == ["same_phone", "similar_name"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"emial": "x@acme.example"}, "is none of a contact"),
        ({"email": "nobody"}, "e-mail address"),
        ({"phone": "12"}, "phone number"),
        ({"role": "king"}, "must be one of champion"),
        ({"title": "x" * 10_000}, "200 are the most"),
        ({"title": 7}, "must be a text"),
        ({"account_id": OTHER}, "cannot be changed"),
        ({"owner_id": "usr_nobody"}, "no user"),
        ({}, "has no field"),
    ],
)
async def test_a_wrong_value_is_named_and_nothing_is_written(on_sqlite: Crm, changes: Any, says: str) -> None:
    made = await on_sqlite.contact()
    given = {"title": "CTO", **changes} if changes else {}
    refused = await on_sqlite.approved("update_contact", contact_id=made["contact_id"], version=1, changes=given)
    assert refused["code"] == "invalid_arguments" and says in refused["message"]
    (person,) = await on_sqlite.contacts()
    assert person["version"] == 1 and "title" not in person


async def test_an_unknown_stage_and_an_amount_without_a_currency_are_refused(on_sqlite: Crm) -> None:
    stage = await on_sqlite.approved("create_deal", account_id=ACME, name="A", stage="Won")
    assert stage["code"] == "invalid_arguments" and "Closed Won" in stage["message"]
    money = await on_sqlite.approved("create_deal", account_id=ACME, name="A", amount_minor=100)
    assert money["code"] == "invalid_arguments" and "currency" in money["message"]
    assert (await on_sqlite.call("list_open_deals"))["items"] == []


@pytest.mark.parametrize(
    "name", ["Þórunn Ægisdóttir", "דנה כהן", "محمد علي", "田中 太郎", "O'Brien-Smith", "💸 Ltd", "%_*'\";--"]
)
async def test_names_of_any_script_are_kept_and_found(on_sqlite: Crm, name: str) -> None:
    await on_sqlite.contact(name)
    (person,) = await on_sqlite.contacts()
    assert person["last_name"] == name
    if any(character.isalnum() for character in name):
        assert [one["account_id"] for one in (await on_sqlite.call("search_accounts", query=name))["items"]] == [ACME]


async def test_get_user_info_finds_by_id_address_and_name(on_sqlite: Crm) -> None:
    for said in ("usr_lena", "Lena@US.example", "lena fuchs"):
        assert (await on_sqlite.call("get_user_info", user=said))["user_id"] == "usr_lena"
    assert (await on_sqlite.call("get_user_info"))["code"] == "not_found"

"""Files of other CRMs into the store, by the command: all of a file or nothing, again without duplicates."""

import csv
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from flotilla_crm.formats.importing import IMPORTERS
from flotilla_crm.schema import accounts, activities, contacts, deals, users
from flotilla_crm.settings import Settings
from flotilla_crm.sql_store import SqlCrmStore
from flotilla_kit import cli
from flotilla_kit.imports import Importer, ImportRefused, Loaded, Source, load
from sqlalchemy import Connection, Table, select
from support.crm_client import ACME, prepared
from support.histories import check

ZOHO = """Record Id,Contact Owner,First Name,Last Name,Account Name,Email,Phone,Title,Lead Source
zcrm_4001,Lena Fuchs,Åse,Bergström,Acme Freight,Ase@Acme.example,+47 22 12 34 56,CTO,Web
zcrm_4002,lena@us.example,Jo,"O'Neil, Jr",Acme Freight,jo@acme.example,,,
"""
HUBSPOT = """Record ID;First Name;Last Name;Email;Phone Number;Contact owner;Job Title;Associated Company
151;Åse;Bergström;ase@acme.example;(415) 555-2671;New Person;CTO;acme freight
"""
SALESFORCE_DEALS = """Opportunity ID,Opportunity Name,Account Name,Stage,Amount,Opportunity Currency,Close Date
006A1,Licences,Acme Freight,proposal,"4,900.50",USD,2026-05-01
006A2,Old one,Acme Freight,Closed Won,100,JPY,2026-01-01
"""
ACTIVITIES = """Activity Type,Subject,Account Name,Contact Email,Date,Direction,Priority
Logged call,About the depot,Acme Freight,ase@acme.example,2026-03-01 09:30:00,inbound,
Case,Broken,Acme Freight,,2026-03-02,inbound,P1
"""
ZOHO_ACCOUNTS = """Record Id,Account Owner,Account Name,Phone,Website,Industry
zcrm_1,Lena Fuchs,Acme,,https://www.acme.example/,Freight
"""
KINDS: Mapping[str, Importer[Any, Any]] = {importer.format.name: importer for importer in IMPORTERS}


class Importing:
    """A store with two accounts, and imports into it."""

    def __init__(self, store: SqlCrmStore) -> None:
        self.store = store

    async def load(self, kind: str, text: str, **options: str) -> Loaded:
        return await self.store.database.write(load, KINDS[kind], Source(text, options=options))

    async def refused(self, kind: str, text: str, **options: str) -> list[str]:
        with pytest.raises(ImportRefused) as refused:
            await self.load(kind, text, **options)
        return [str(problem) for problem in refused.value.problems]

    async def rows(self, table: Table) -> Sequence[Mapping[str, Any]]:
        def read(conn: Connection) -> Sequence[Mapping[str, Any]]:
            check(conn)
            return [dict(row) for row in conn.execute(select(table).order_by(table.c.created_at)).mappings()]

        return await self.store.database.read(read)

    async def users(self) -> Sequence[Mapping[str, Any]]:
        return await self.store.database.read(
            lambda conn: [dict(row) for row in conn.execute(select(users)).mappings()]
        )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[Importing]:
    await prepared(settings)
    store = SqlCrmStore(settings)
    await store.open()
    yield Importing(store)
    await store.close()


@pytest.fixture
async def importing(database_url: str, tmp_path: Path) -> AsyncGenerator[Importing]:
    async with opened(Settings.load({"home": tmp_path, "database_url": database_url})) as store:
        yield store


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncGenerator[Importing]:
    async with opened(Settings.load({"home": tmp_path})) as store:
        yield store


async def test_zohos_contacts_come_in_once_however_often(importing: Importing) -> None:
    assert (await importing.load("contacts", ZOHO)).as_dict() == {"added": 2, "changed": 0, "known": 0}
    first, second = await importing.rows(contacts)
    assert (first["contact_id"], first["account_id"], first["owner_id"]) == ("zcrm_4001", ACME, "usr_lena")
    assert (first["email"], first["phone"], first["title"]) == ("Ase@acme.example", "+4722123456", "CTO")
    assert second["last_name"] == "O'Neil, Jr" and second["phone"] is None
    assert (await importing.load("contacts", ZOHO)).as_dict() == {"added": 0, "changed": 0, "known": 2}


async def test_another_systems_file_updates_the_contact_with_that_address(importing: Importing) -> None:
    await importing.load("contacts", ZOHO)
    assert (await importing.load("contacts", HUBSPOT, phone_region="US")).as_dict()["changed"] == 1
    (ase,) = [row for row in await importing.rows(contacts) if row["first_name"] == "Åse"]
    assert (ase["contact_id"], ase["phone"], ase["version"]) == ("zcrm_4001", "+14155552671", 2)


async def test_deals_with_stages_and_amounts_in_decimals(importing: Importing) -> None:
    await importing.load("deals", SALESFORCE_DEALS)
    found = {row["deal_id"]: row for row in await importing.rows(deals)}
    assert (found["006A1"]["stage"], found["006A1"]["amount_minor"]) == ("Proposal", 490_050)
    assert (found["006A2"]["stage_kind"], found["006A2"]["amount_minor"]) == ("won", 100)


async def test_activities_find_their_contact_by_its_address(importing: Importing) -> None:
    await importing.load("contacts", ZOHO)
    for added in (2, 0):
        assert (await importing.load("activities", ACTIVITIES)).as_dict()["added"] == added
    call, ticket = sorted(await importing.rows(activities), key=lambda row: row["occurred_at"])
    assert (call["kind"], call["contact_id"], call["occurred_at"][:16]) == ("call", "zcrm_4001", "2026-03-01T09:30")
    assert (ticket["kind"], ticket["priority"]) == ("ticket", "P1")


async def test_every_bad_row_is_named_with_its_line_and_nothing_is_imported(importing: Importing) -> None:
    bad = ("zcrm_1,,A,B,Nobody Ltd,b@acme.example,,,", "zcrm_2,,A,C,Acme Freight,nobody,,,", "zcrm_3,,A,D,,,12,,")
    text = ZOHO + "\n".join(bad)
    problems = await importing.refused("contacts", text)
    assert [problem.split(":")[0] for problem in problems] == ["line 4", "line 5", "line 6"]
    assert await importing.rows(contacts) == []


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("deals", "deal name,stage,account name\nA,Prospecting,Acme Freight\n", "is no stage"),
        ("deals", "deal name,stage,account name,amount\nA,Proposal,Acme Freight,10\n", "has no currency"),
        ("deals", "deal name,stage,account name,amount,currency\nA,Proposal,Acme Freight,1.005,USD\n", "decimals"),
        ("deals", "deal name,stage\nA,Proposal\n", "says no account"),
        ("deals", "deal name,stage,account name,closing date\nA,Proposal,Acme Freight,3/4/2026\n", "two ways"),
        ("contacts", "last name,role\nA,king\n", "must be one of champion"),
        ("contacts", "last name,email\nA,a@acme.example\nB,a@acme.example\n", "stands in line 2"),
        ("contacts", "first name,surname\nA,B\n", "lacks the columns last_name"),
        ("contacts", "last name,title\nA," + "x" * 10_000 + "\n", "200 are the most"),
        ("activities", "kind,occurred_at,account name\nparty,2026-01-01,Acme Freight\n", "must be one of call"),
        ("accounts", "account name,website\nA,not a domain\n", "must be a domain"),
    ],
)
async def test_what_a_row_cannot_be_is_said(on_sqlite: Importing, kind: str, text: str, says: str) -> None:
    assert says in "\n".join(await on_sqlite.refused(kind, text))


async def test_what_can_be_read_in_two_ways_can_be_said(importing: Importing) -> None:
    text = "deal name,stage,account name,closing date,amount\nA,Pilot won,Acme Freight,3/4/2026,10\n"
    loaded = await importing.load("deals", text, dates="dmy", currency="USD", new_stages="yes")
    assert loaded.as_dict() == {"added": 1, "changed": 0, "known": 0, "stages": 1}
    (deal,) = await importing.rows(deals)
    assert (deal["close_on"], deal["currency"], deal["stage_kind"]) == ("2026-04-03", "USD", "won")


def test_the_command_tells_the_kinds_apart_and_what_it_exports_it_imports(tmp_path: Path, capsys: Any) -> None:
    """All four kinds of the sample, out of one store and into another: the same files come out of that."""
    there, back = tmp_path / "there", tmp_path / "back"
    common = ["--home", str(tmp_path / "one")]
    for folder in (there, back):
        folder.mkdir(exist_ok=True)
    for kind in ("accounts", "contacts", "deals", "activities"):
        exported, again = there / f"{kind}.csv", back / f"{kind}.csv"
        assert cli.main("flotilla_crm", [*common, "--demo-data", "export", str(exported), "--kind", kind]) == 0
        other = ["--home", str(tmp_path / "two")]
        capsys.readouterr()
        assert cli.main("flotilla_crm", [*other, "import", str(exported), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["counts"]["added"] > 0
        assert cli.main("flotilla_crm", [*other, "export", str(again), "--kind", kind]) == 0
        assert _without_owners(again) == _without_owners(exported), kind


def _without_owners(path: Path) -> list[dict[str, str]]:
    """Users are no records of their own: an import knows an owner by what the file says."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{**row, "owner_id": ""} for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (ZOHO_ACCOUNTS, "accounts"),
        (ZOHO, "contacts"),
        (HUBSPOT, "contacts"),
        (SALESFORCE_DEALS, "deals"),
        ("Record Id,Deal Owner,Amount,Deal Name,Closing Date,Account Name,Stage\n", "deals"),
        (ACTIVITIES, "activities"),
        ("one,two\n", ""),
    ],
)
def test_the_header_says_which_kind_a_file_is(tmp_path: Path, text: str, kind: str) -> None:
    path = tmp_path / "export.csv"
    path.write_text(text, encoding="utf-8")
    assert [name for name, importer in KINDS.items() if importer.format.recognises(path)] == ([kind] if kind else [])


async def test_a_website_becomes_a_domain_and_an_unknown_owner_a_user(on_sqlite: Importing) -> None:
    await on_sqlite.load("accounts", ZOHO_ACCOUNTS.replace("Lena Fuchs", "new@us.example"))
    account = next(row for row in await on_sqlite.rows(accounts) if row["account_id"] == "zcrm_1")
    owner = next(row for row in await on_sqlite.users() if row["user_id"] == account["owner_id"])
    assert (account["domain"], owner["email"]) == ("acme.example", "new@us.example")

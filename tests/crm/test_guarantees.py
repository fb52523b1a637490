"""What every server guarantees, of the CRM: over an account of ours, and one that nobody may find out."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flotilla_crm.records import ACCOUNT, ACTIVITY, CONTACT, DEAL, TYPES
from flotilla_crm.schema import metadata, users
from flotilla_crm.server import SPEC
from flotilla_crm.settings import Settings
from flotilla_crm.sql_store import SqlCrmStore
from flotilla_crm.writing import rows
from flotilla_crm.writing.history import Origin
from flotilla_kit.testing import FULL, Change, Guarantees, Read, ServerUnderTest
from flotilla_kit.testing.rules import RULES, crashes, paging, scopes
from sqlalchemy import Connection, Table, Text, func, insert, select
from support.postgres import fresh_database

OURS, THEIRS = "cust_12345", "cust_quillfeather"
AT = "2026-03-01T09:00:00.000+00:00"
# Records that are changed once each, and nearly every call of the suite is about another; in `make test` there are few.
MANY = 12_000 if FULL else 3_000
DEAL_VALUES = {"pipeline_id": "sales", "stage": "Proposal", "stage_kind": "open", "currency": "USD"}
LOST = {**DEAL_VALUES, "stage": "Closed Lost", "stage_kind": "lost"}
Rows = Sequence[dict[str, Any]]


def history(account_id: str, name: str, domain: str) -> list[tuple[Any, Rows]]:
    """An account with three people, who may be one, two deals and two calls."""
    people = [
        {
            "contact_id": f"con_{domain}_{n}",
            "status": "bounced",
            "first_name": name,
            "last_name": f"{domain.title()}s{'s' * n}",
        }
        for n in (1, 2, 3)
    ]
    deals = [
        {"deal_id": f"deal_{domain}_{n}", "name": f"{domain} licence {n}", "amount_minor": 73918 + len(domain) % 4}
        for n in (1, 2)
    ]
    calls = [
        {"activity_id": f"act_{domain}_{n}", "kind": "call", "direction": "inbound", "subject": f"{domain} {n}"}
        for n in (1, 2)
    ]
    of = {"account_id": account_id}
    return [
        (ACCOUNT, [{**of, "name": f"{domain.title()} Ltd", "domain": f"{domain}.example", "owner_id": "usr_leila"}]),
        (
            CONTACT,
            [
                {**of, **one, "email": f"{n}@{domain}.example", "phone": "+4722123456"}
                for n, one in enumerate(people, 1)
            ],
        ),
        (DEAL, [{**of, **one, **DEAL_VALUES} for one in deals]),
        (ACTIVITY, [{**of, **one, "occurred_at": AT} for one in calls]),
    ]


async def prepare(store: SqlCrmStore) -> None:
    await store.database.write(_prepare)


def _prepare(conn: Connection) -> None:
    leila = {"user_id": "usr_leila", "name": "Leila Novak", "email": "leila@harbor.example"}
    conn.execute(insert(users).values(**leila, name_folded="leila novak"))
    origin = Origin("import", AT)
    for account_id, name, domain in ((OURS, "Maya", "nordlys"), (THEIRS, "Zebulon", "quillfeather")):
        for kind, records in history(account_id, name, domain):
            rows.create(conn, kind, records, origin)
    _bulk(conn, CONTACT.table, "contact_id", "con", 3 * MANY, {"last_name": "Nemo", "status": "left"})
    _bulk(conn, DEAL.table, "deal_id", "deal", MANY, {**LOST, "name": "Deal", "name_folded": "deal"})


def _bulk(conn: Connection, table: Table, key: str, prefix: str, count: int, values: dict[str, Any]) -> None:
    """Records that samples change; they begin without a history."""
    row = {"account_id": OURS, "version": 1, "created_at": AT, "updated_at": AT, **values}
    conn.execute(insert(table), [{**row, key: f"{prefix}_{number:06}"} for number in range(count)])


async def happened(store: SqlCrmStore) -> int:
    """Each change of a record makes one version more."""
    return await store.database.read(_versions)


def _versions(conn: Connection) -> int:
    return sum(
        int(conn.execute(select(func.coalesce(func.sum(kind.table.c.version), 0))).scalar_one())
        for kind in TYPES.values()
    )


async def state(store: SqlCrmStore) -> object:
    """Of each table what any change to it changes: all rows of thousands would be read before and after every call."""
    return await store.database.read(_state)


def _state(conn: Connection) -> dict[str, tuple[object, ...]]:
    def of(table: Table) -> tuple[object, ...]:
        sums = [func.sum(table.c.version)] if "version" in table.c else []
        if table.name == "field_history":
            sums += [func.sum(func.length(column)) for column in table.columns if isinstance(column.type, Text)]
        return tuple(conn.execute(select(func.count(), *sums).select_from(table)).one())

    return {table.name: of(table) for table in metadata.sorted_tables}


def one_of(prefix: str, number: int, first: int = 0) -> str:
    assert number < MANY, "there are too few"
    return f"{prefix}_{first + number:06}"


OTHER = [{"account_id": THEIRS}]
THEIR_CONTACT = {"contact_id": "con_quillfeather_1"}
CRM = ServerUnderTest(
    SPEC,
    Settings,
    samples=[
        Read("search_accounts", {"query": "nordlys"}, out_of_scope=[{"query": "quillfeather"}]),
        Read("get_account", {"account_id": OURS}, out_of_scope=OTHER),
        Read("list_account_contacts", {"account_id": OURS, "status": "bounced"}, out_of_scope=OTHER),
        Read("list_account_deals", {"account_id": OURS, "state": "open"}, out_of_scope=OTHER),
        Read("list_account_activities", {"account_id": OURS, "until": "2026-03-02"}, out_of_scope=OTHER),
        Read(
            "list_field_changes",
            {"account_id": OURS, "record_id": "con_nordlys_1"},
            out_of_scope=[{"account_id": THEIRS, "record_id": "con_quillfeather_1"}],
        ),
        Read("get_account_review", {"account_id": OURS}, out_of_scope=OTHER),
        Read(
            "get_contact_by_email",
            {"email": "1@nordlys.example"},
            out_of_scope=[{"email": "1@quillfeather.example"}],
        ),
        Read("get_deal_by_name", {"name": "nordlys licence"}, out_of_scope=[{"name": "quillfeather licence 1"}]),
        Read("list_open_deals", {}, out_of_scope=[{"owner_id": "usr_zeb"}]),
        Read("get_user_info", {"user": "leila@harbor.example"}),
        Read("find_duplicate_contacts", {"account_id": OURS}, out_of_scope=OTHER),
        Read("calculate_account_health_score", {"account_id": OURS}, out_of_scope=OTHER),
        Read("detect_risk_signals", {"account_id": OURS}, out_of_scope=OTHER),
        Change(
            "create_contact",
            lambda n: {"account_id": OURS, "last_name": "Berg", "email": f"berg{n}@gmail.com", "title": "Owner"},
            out_of_scope=[{"account_id": THEIRS}],
            waits=True,
        ),
        Change(
            "update_contact",
            lambda n: {"contact_id": one_of("con", n), "version": 1, "changes": {"title": "CTO"}, "reason": "met"},
            out_of_scope=[THEIR_CONTACT],
            waits=True,
        ),
        Change(
            "create_deal",
            lambda n: {"account_id": OURS, "name": f"Seats {n}", "currency": "USD", "stage": "Closed Lost"},
            out_of_scope=[{"account_id": THEIRS}],
            waits=True,
        ),
        Change(
            "update_deal",
            lambda n: {"deal_id": one_of("deal", n), "version": 1, "changes": {"next_step": "Call"}, "reason": "met"},
            out_of_scope=[{"deal_id": "deal_quillfeather_1"}],
            waits=True,
        ),
        Change(
            "log_activity",
            lambda n: {"account_id": OURS, "kind": "note", "subject": f"Visit {n}", "occurred_at": "2026-03-05"},
            out_of_scope=[{"account_id": THEIRS}],
            waits=True,
        ),
        Change(
            "merge_contacts",
            lambda n: {
                "winner_id": one_of("con", n, MANY),
                "winner_version": 1,
                "loser_id": one_of("con", n, 2 * MANY),
                "loser_version": 1,
                "reason": "same person",
            },
            out_of_scope=[{"winner_id": "con_quillfeather_1", "loser_id": "con_quillfeather_2"}],
            waits=True,
        ),
    ],
    prepare=prepare,
    state=state,
    count=happened,
    scope={"account_id": OURS},
    canaries=["Quillfeather", "quillfeather", "73919"],
    snapshot=Path(__file__).parent / "tools.json",
    bytes_per_tool=450,  # twenty tools in less than 9 kB
)


@pytest.mark.prove
class TestCrm(Guarantees, rules=[rule for rule in RULES if FULL or rule not in crashes.RULES]):
    server = CRM


@pytest.mark.prove
class TestCrmKilled(Guarantees, rules=[] if FULL else crashes.RULES):
    """In `make test` one change of a record and the one that changes most, in place of all six."""

    server = replace(CRM, samples=[one for one in CRM.samples if one.tool in ("update_deal", "merge_contacts")])


@pytest.mark.prove
class TestCrmOnPostgreSQL(Guarantees, rules=RULES if FULL else [*paging.RULES, *scopes.RULES]):
    """In `make test` what the databases are likeliest to differ in: order, and whose records a statement finds."""

    server = CRM

    @pytest.fixture(scope="class")
    @classmethod
    def database_url(cls, postgres_cluster: str) -> Generator[str]:
        with fresh_database(postgres_cluster, "crm_guarantees") as address:
            yield address

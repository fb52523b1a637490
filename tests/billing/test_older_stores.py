"""A store that an earlier version left, with a refund cut off in the middle and approvals given and waiting, goes on.

`stores/DATE.DATABASE.sql` are dumps of that version's stores. Their approvals are good until 2999.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_billing.server import create_server
from flotilla_billing.settings import Settings
from flotilla_kit import approvals, audit
from flotilla_kit.identity.principal import Principal
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from support.answers import answer_of

STORES = Path(__file__).parent / "stores"
SETTLED = {"transaction_id": "ch_maya_feb_1", "amount_minor": 200, "idempotency_key": "settled"}
INTERRUPTED = {"transaction_id": "ch_maya_feb_1", "amount_minor": 300, "idempotency_key": "interrupted"}
APPROVED = {"transaction_id": "ch_maya_feb_2", "amount_minor": 1100, "idempotency_key": "approved"}
WAITS = {"transaction_id": "ch_maya_feb_2", "amount_minor": 4900, "idempotency_key": "waits"}


@pytest.fixture
def older_store(database_url: str) -> str:
    """The address of a store of November 2026, once on SQLite and once on PostgreSQL."""
    kind = database_url.split(":")[0]
    dump = (STORES / f"2026-11.{kind}.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        with sqlite3.connect(database_url.removeprefix("sqlite:///")) as connection:
            connection.executescript(dump)
        connection.close()
    else:
        with psycopg.connect(database_url) as connection:
            connection.execute(dump.encode())
    return database_url


@pytest.fixture
async def owner(older_store: str, tmp_path: Path) -> AsyncGenerator[Client[FastMCPTransport]]:
    # Every refund asks for an approval, as where those of the dump were asked for.
    settings = {"home": tmp_path, "database_url": older_store, "refund_approval_above_minor": 0}
    async with Client(create_server(Settings.load(settings))) as client:
        yield client


async def refund(client: Client[FastMCPTransport], wanted: dict[str, Any]) -> dict[str, Any]:
    said = {"currency": "USD", "reason": "charged twice", **wanted}
    return answer_of(await client.call_tool("issue_refund", said, raise_on_error=False))


async def test_a_refund_that_was_cut_off_is_settled(owner: Client[FastMCPTransport]) -> None:
    async with asyncio.timeout(20):
        while (await refund(owner, INTERRUPTED))["status"] == "pending":  # noqa: ASYNC110  another task settles it
            await asyncio.sleep(0.05)
    assert (await refund(owner, INTERRUPTED))["status"] == "succeeded"


async def test_a_repeat_hears_what_was_recorded(owner: Client[FastMCPTransport]) -> None:
    first = await refund(owner, SETTLED)
    assert (first["status"], first["amount_minor"]) == ("succeeded", 200)
    assert (await refund(owner, {**SETTLED, "amount_minor": 201}))["code"] == "idempotency_mismatch"


async def test_an_approval_that_was_given_is_good_once(owner: Client[FastMCPTransport]) -> None:
    assert (await refund(owner, {**APPROVED, "amount_minor": 1101}))["code"] == "approval_mismatch"
    assert (await refund(owner, APPROVED))["status"] == "succeeded"
    assert (await refund(owner, {**APPROVED, "idempotency_key": "again"}))["code"] == "approval_used"


async def test_a_request_that_waited_can_be_approved(owner: Client[FastMCPTransport], older_store: str) -> None:
    waiting = await refund(owner, WAITS)
    assert waiting["code"] == "approval_required"
    database = await Database.open(older_store, [KIT_MIGRATIONS])
    [(_, asked)] = await database.read(approvals.find, "billing", "pending", 10, None)
    assert asked.approval_id == waiting["details"]["approval_id"]
    await database.write(approvals.decide, "billing", asked.approval_id, Principal("approver", "ada"), "approve", "")
    await database.close()
    assert (await refund(owner, WAITS))["status"] == "succeeded"


async def test_its_audit_goes_on_in_one_chain(owner: Client[FastMCPTransport], older_store: str) -> None:
    database = await Database.open(older_store, [KIT_MIGRATIONS])
    before = await database.read(audit.verify)
    await refund(owner, APPROVED)
    after = await database.read(audit.verify)
    await database.close()
    assert before.ok and after.ok
    assert after.records > before.records > 0

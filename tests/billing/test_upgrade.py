"""A store of the version before refunds were external effects opens, and what it left unsettled is settled."""

import asyncio
import json
import shutil
from pathlib import Path

from flotilla_billing import books
from flotilla_billing.models import Scope
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import MIGRATIONS, SqlBillingStore
from flotilla_billing.stripe_csv import SAMPLE, load_sample
from flotilla_kit.effects import Effect, digest
from flotilla_kit.storage import KIT_MIGRATIONS, Database, Migrations
from sqlalchemy import Connection, text

CHARGE, KEY, ARGUMENTS = "ch_maya_feb_2", "of the old version", {"amount_minor": 100}
STATEMENTS = (
    "UPDATE transactions SET reserved_minor = 100 WHERE transaction_id = :charge",
    "INSERT INTO refunds (refund_id, transaction_id, customer_id, amount_minor, currency, reason, status, created_at, "
    "lease_owner, lease_until) VALUES ('rf_old', :charge, 'cust_12345', 100, 'USD', 'x', 'pending', :at, 'gone', :at)",
    "INSERT INTO effects (principal, run, tool, key, digest, outcome, recorded_at) "
    "VALUES ('owner', '', 'issue_refund', :key, :digest, :outcome, :at)",
)


def before(lineage: Migrations, last: str, folder: Path) -> Migrations:
    """A lineage as it was when `last` was its newest version."""
    folder.mkdir()
    for path in lineage.folder.glob("[0-9]*_*.py"):
        if path.name[:4] <= last:
            shutil.copy(path, folder)
    return Migrations(lineage.name, folder)


def leave_pending(connection: Connection) -> None:
    said = {"charge": CHARGE, "key": KEY, "digest": digest(ARGUMENTS), "outcome": json.dumps({"refund_id": "rf_old"})}
    for statement in STATEMENTS:
        used = {name: value for name, value in said.items() if f":{name}" in statement}
        at = {"at": "2026-11-27T10:00:00.000+00:00"} if ":at" in statement else {}
        connection.execute(text(statement), {**used, **at})


async def test_a_refund_that_the_old_version_left_pending_is_settled_once(database_url: str, tmp_path: Path) -> None:
    old = [before(KIT_MIGRATIONS, "0003", tmp_path / "kit"), before(MIGRATIONS, "0002", tmp_path / "billing")]
    database = await Database.open(database_url, old)
    await database.write(load_sample, SAMPLE)
    await database.write(leave_pending)
    await database.close()
    store = SqlBillingStore(Settings.load({"home": tmp_path, "database_url": database_url}))
    await store.open()
    try:
        async with asyncio.timeout(20):
            while (await store.get_refund(Scope(), "rf_old")).status == "pending":  # noqa: ASYNC110  the reconciler
                await asyncio.sleep(0.02)
        effect = Effect("owner", "", "issue_refund", KEY, digest(ARGUMENTS))
        assert (await store.issue_refund(Scope(), effect, CHARGE, 100, "USD", "x")).refund_id == "rf_old"
        charge = await store.get_transaction(Scope(), CHARGE)
        assert (charge.refunded_minor, charge.reserved_minor) == (100, 0)
        assert await store.database.read(books.check) == []
    finally:
        await store.close()

"""What every server guarantees, of billing: over the sample company and another customer whom nobody may find out."""

import csv
import io
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from flotilla_billing.payments_import import PAYMENTS_IMPORT, SAMPLE
from flotilla_billing.server import SPEC
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from flotilla_kit import imports
from flotilla_kit.imports import Source
from flotilla_kit.testing import FULL, Change, Guarantees, Read, ServerUnderTest
from flotilla_kit.testing.rules import RULES, bad_input
from sqlalchemy import Connection, text
from support.postgres import fresh_database

OURS, THEIRS = "cust_12345", "cust_quillfeather"
CHARGE, INVOICE = "ch_maya_feb_1", "in_maya_202602"
THEIR_CHARGE = {"transaction_id": "ch_quillfeather_1"}
WAITING = {"transaction_id": "ch_large", "amount_minor": 6_000, "currency": "EUR", "reason": "goodwill"}
SMALL = {"transaction_id": "ch_small", "amount_minor": 2, "currency": "USD", "reason": "charged twice"}


async def prepare(store: SqlBillingStore) -> None:
    """Charges of ours that take many refunds, charges of others whose every word is theirs alone, a refund of each."""
    sample = list(csv.DictReader(io.StringIO(SAMPLE.read_text())))
    model = next(row for row in sample if row["id"] == "ch_maya_feb_2")
    theirs = {
        "Customer ID": THEIRS,
        "Customer Description": "Zebulon Quillfeather",
        "Customer Email": "zeb@quillfeather.example",
        "Card ID": "card_quillfeather",
    }
    rows = [
        {**model, "id": "ch_small", "Amount": "5000.00", "Converted Amount": "5000.00"},
        {**model, "id": "ch_large", "Amount": "90000.00", "Converted Amount": "90000.00", "Currency": "eur"},
        *(
            {
                **model,
                **theirs,
                "id": f"ch_quillfeather_{n}",
                "Invoice ID": f"in_quillfeather_{n % 2}",
                "Amount": f"73918.4{n}",
                "Converted Amount": f"73918.4{n}",
                "Description": f"Quillfeather quota {n}",
            }
            for n in range(1, 5)
        ),
    ]
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(model))
    writer.writeheader()
    writer.writerows(rows)
    await store.database.write(imports.load, PAYMENTS_IMPORT, Source(written.getvalue()))
    await store.database.write(_refund, "rf_ours", "ch_maya_feb_1", OURS)
    await store.database.write(_refund, "rf_quillfeather", "ch_quillfeather_1", THEIRS)


def _refund(connection: Connection, refund_id: str, charge: str, customer: str) -> None:
    statement = (
        "INSERT INTO refunds"
        " (refund_id, transaction_id, customer_id, amount_minor, currency, reason, status, created_at)"
        " VALUES (:refund, :charge, :customer, 1, 'USD', 'earlier', 'succeeded', '2026-03-01T00:00:00.000+00:00')"
    )
    connection.execute(text(statement), {"refund": refund_id, "charge": charge, "customer": customer})


async def paid(store: SqlBillingStore) -> int:
    """How much was refunded, by the charges and by the refunds: an effect that is in one of them alone is found too."""
    return await store.database.read(_paid)


def _paid(connection: Connection) -> int:
    charges = connection.execute(text("SELECT sum(refunded_minor + reserved_minor) FROM transactions")).scalar_one()
    refunds = connection.execute(text("SELECT sum(amount_minor) FROM refunds")).scalar_one()
    return int(charges) + int(refunds) * 10**6


def _demo(home: Path) -> dict[str, Any]:
    del home
    return {"demo_data": True}


BILLING = ServerUnderTest(
    SPEC,
    Settings,
    samples=[
        Read("get_customer_billing", {"customer_id": OURS}, out_of_scope=[{"customer_id": THEIRS}]),
        Read(
            "find_transactions",
            {"customer_id": OURS},
            out_of_scope=[
                {"customer_id": THEIRS},
                {"invoice_id": "in_quillfeather_1"},
                {"amount_minor": 7391841},
            ],
        ),
        Read("get_transaction", {"transaction_id": CHARGE}, out_of_scope=[THEIR_CHARGE]),
        Read(
            "check_payment_gateway",
            {"customer_id": OURS, "date": "Feb 3 2026", "amount": "$49"},
            out_of_scope=[{"amount": "73918.41 USD"}, {"customer_id": THEIRS, "amount": "73918.42 USD"}],
        ),
        Read("find_duplicate_charges", {"customer_id": OURS}, out_of_scope=[{"customer_id": THEIRS}]),
        Read("list_invoices", {"customer_id": OURS}, out_of_scope=[{"customer_id": THEIRS}]),
        Read("get_invoice", {"invoice_id": INVOICE}, out_of_scope=[{"invoice_id": "in_quillfeather_1"}]),
        Read(
            "check_refund_eligibility",
            {"transaction_id": CHARGE, "amount_minor": 100},
            out_of_scope=[THEIR_CHARGE],
        ),
        Read("get_refund", {"refund_id": "rf_ours"}, out_of_scope=[{"refund_id": "rf_quillfeather"}]),
        Change("issue_refund", SMALL, out_of_scope=[THEIR_CHARGE]),
        Change("issue_refund", WAITING, out_of_scope=[{**THEIR_CHARGE, "currency": "USD"}], waits=True),
    ],
    given=_demo,
    prepare=prepare,
    count=paid,
    scope={"customer_id": OURS},
    canaries=["Quillfeather", "quillfeather", "7391841", "7391842", "73918.4"],
    snapshot=Path(__file__).parent / "tools.json",
)


@pytest.mark.prove
class TestBilling(Guarantees):
    server = BILLING


@pytest.mark.prove
class TestBillingOnPostgreSQL(Guarantees, rules=RULES if FULL else bad_input.OF_THE_STORE):
    """In `make test` what the databases are likeliest to differ in: which text they take."""

    server = BILLING

    @pytest.fixture(scope="class")
    @classmethod
    def database_url(cls, postgres_cluster: str) -> Generator[str]:
        with fresh_database(postgres_cluster, "guarantees") as address:
            yield address

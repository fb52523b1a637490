"""The tables of the embedded store, as `migrations/` creates them (`refunds` has two columns that went out of use)."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

metadata = MetaData()

customers = Table(
    "customers", metadata, Column("customer_id", Text, primary_key=True), Column("name", Text), Column("email", Text)
)

transactions = Table(
    "transactions",
    metadata,
    Column("transaction_id", Text, primary_key=True),
    Column("customer_id", Text),
    Column("customer_name", Text),
    Column("created_at", Text),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("status", Text),
    Column("captured_minor", BigInteger),
    Column("refunded_minor", BigInteger),
    Column("reserved_minor", BigInteger),
    Column("description", Text),
    Column("invoice_id", Text),
    Column("method_kind", Text),
    Column("method_brand", Text),
    Column("method_last4", Text),
    Column("card_id", Text),
    Column("failure_reason", Text),
    Column("dispute_status", Text),
    Column("settled_on", Text),
    Column("settlement_estimated", Integer),
)

refunds = Table(
    "refunds",
    metadata,
    Column("refund_id", Text, primary_key=True),
    Column("transaction_id", Text),
    Column("customer_id", Text),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("reason", Text),
    Column("status", Text),
    Column("decline_reason", Text),
    Column("gateway_refund_id", Text),
    Column("created_at", Text),
    Column("expected_arrival", Text),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("entry_id", Integer, primary_key=True),
    Column("transfer_id", Text),
    Column("account", Text),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("transaction_id", Text),
    Column("recorded_at", Text),
)

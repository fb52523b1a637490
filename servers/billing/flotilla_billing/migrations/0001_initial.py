"""Customers, charges, refunds, and the append-only ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("email", sa.Text),
    )
    op.create_table(
        "transactions",
        sa.Column("transaction_id", sa.Text, primary_key=True),
        sa.Column("customer_id", sa.Text, sa.ForeignKey("customers.customer_id"), nullable=False),
        sa.Column("customer_name", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("captured_minor", sa.BigInteger, nullable=False),
        sa.Column("refunded_minor", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("reserved_minor", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("description", sa.Text),
        sa.Column("invoice_id", sa.Text),
        sa.Column("method_kind", sa.Text, nullable=False),
        sa.Column("method_brand", sa.Text),
        sa.Column("method_last4", sa.Text),
        sa.Column("card_id", sa.Text),
        sa.Column("failure_reason", sa.Text),
        sa.Column("dispute_status", sa.Text),
        sa.Column("settled_on", sa.Text),
        sa.Column("settlement_estimated", sa.Integer, nullable=False, server_default="0"),
        sa.CheckConstraint("amount_minor > 0 AND captured_minor BETWEEN 0 AND amount_minor", "captured_within_amount"),
        sa.CheckConstraint(
            "refunded_minor >= 0 AND reserved_minor >= 0 AND refunded_minor + reserved_minor <= captured_minor",
            "refunded_within_captured",
        ),
    )
    op.create_index("transactions_by_customer", "transactions", ["customer_id", "created_at", "transaction_id"])
    op.create_index("transactions_by_time", "transactions", ["created_at", "transaction_id"])
    op.create_index("transactions_by_invoice", "transactions", ["invoice_id"])
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.Text, primary_key=True),
        sa.Column("transaction_id", sa.Text, sa.ForeignKey("transactions.transaction_id"), nullable=False),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, sa.CheckConstraint("amount_minor > 0"), nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column(
            "status", sa.Text, sa.CheckConstraint("status IN ('pending', 'succeeded', 'declined')"), nullable=False
        ),
        sa.Column("decline_reason", sa.Text),
        sa.Column("gateway_refund_id", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("expected_arrival", sa.Text),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", sa.Text),
    )
    op.create_index("refunds_by_status", "refunds", ["status"])
    op.create_index("refunds_by_transaction", "refunds", ["transaction_id"])
    unsettled = sa.text("status = 'pending'")
    op.create_index(
        "one_unsettled_refund_per_charge_and_amount",
        "refunds",
        ["transaction_id", "amount_minor"],
        unique=True,
        sqlite_where=unsettled,
        postgresql_where=unsettled,
    )
    op.create_table(
        "ledger_entries",
        sa.Column("entry_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("transfer_id", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("transaction_id", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.UniqueConstraint("transfer_id", "account", name="one_entry_per_account_and_transfer"),
    )
    op.create_index("ledger_entries_by_transaction", "ledger_entries", ["transaction_id"])
    _append_only("ledger_entries")


def _append_only(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    else:
        op.execute(
            f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
        )

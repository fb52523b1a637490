"""What webhooks are to be told, and each delivery of it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("happened_at", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("dispatched", sa.Integer, nullable=False),
    )
    op.create_index("webhook_events_to_dispatch", "webhook_events", ["dispatched", "happened_at"])
    op.create_index("webhook_events_by_run", "webhook_events", ["run_id"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("delivery_id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("webhook", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Text),
        sa.Column("error", sa.Text),
    )
    op.create_index("webhook_deliveries_due", "webhook_deliveries", ["state", "due_at"])
    op.create_index("webhook_deliveries_newest", "webhook_deliveries", ["created_at", "delivery_id"])
    op.create_index("webhook_deliveries_by_run", "webhook_deliveries", ["run_id"])

"""A refund looks at what its customer was refunded that day."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("refunds_by_customer", "refunds", ["customer_id", "created_at"])

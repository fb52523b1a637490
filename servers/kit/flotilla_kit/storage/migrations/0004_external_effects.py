"""External effects: what is to happen in another system, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "external_effects",
        sa.Column("effect_id", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("server", "principal", "run", "tool", "key", "digest", "request")
        ),
        sa.Column(
            "state",
            sa.Text,
            sa.CheckConstraint("state IN ('reserved', 'performing', 'unknown', 'done', 'failed')"),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("performed_at", "lease_owner", "outcome", "last_error")),
        sa.Column("lease_until", sa.Text, nullable=False),
    )
    unsettled = sa.text("state IN ('reserved', 'performing', 'unknown')")
    op.create_index(
        "unsettled_external_effects",
        "external_effects",
        ["server", "lease_until"],
        sqlite_where=unsettled,
        postgresql_where=unsettled,
    )

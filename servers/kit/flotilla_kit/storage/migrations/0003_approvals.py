"""Approvals: requests, decisions, and their use."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("approval_id", sa.Text, nullable=False, unique=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("server", "requester", "run", "tool", "digest", "arguments", "facts")
        ),
        sa.Column(
            "state",
            sa.Text,
            sa.CheckConstraint("state IN ('pending', 'approved', 'rejected', 'consumed', 'expired')"),
            nullable=False,
        ),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("decided_at", "decided_by", "reason", "consumed_at")),
    )
    op.create_index("approvals_by_request", "approvals", ["requester", "run", "tool", "digest"])
    open_ = sa.text("state IN ('pending', 'approved')")
    op.create_index(
        "one_open_approval_per_request",
        "approvals",
        ["server", "requester", "run", "tool", "digest"],
        unique=True,
        sqlite_where=open_,
        postgresql_where=open_,
    )

"""Servers that do not answer, a row each."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "breakers",
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.Float),
        sa.Column("tried_at", sa.Float),
        sa.Column("last_error", sa.Text, nullable=False),
    )

"""Transcripts of sessions, a row for each line."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "transcripts",
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("project_key", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("subpath", sa.Text, nullable=False),
        sa.Column("uuid", sa.Text),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("written_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("project_key", "session_id", "subpath", "uuid"),
    )

"""Finds the runs that wait in the queue without looking at those that have ended."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("runs_by_status", "runs", ["status"])

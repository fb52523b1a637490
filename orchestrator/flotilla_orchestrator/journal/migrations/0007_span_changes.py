"""When each span was changed last, as a number that grows with each change in its run."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "span_changes",
        sa.Column("span_id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
    )
    op.create_index("span_changes_by_run", "span_changes", ["run_id", "seq"])

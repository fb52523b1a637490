"""What runs and their agents may use and have used: a row for each."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("span_id", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, sa.ForeignKey("runs.run_id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("above", sa.Text),
        sa.Column("worker", sa.Text),
        sa.Column("max_turns", sa.Integer, nullable=False),
        sa.Column("budget_usd", sa.Float, nullable=False),
        sa.Column("wall_clock_s", sa.Float, nullable=False),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("tool_calls", sa.Integer, nullable=False),
        sa.Column("input_tokens", sa.Integer, nullable=False),
        sa.Column("output_tokens", sa.Integer, nullable=False),
        sa.Column("cost_usd", sa.Float),
        sa.Column("lost_turns", sa.Integer, nullable=False),
        sa.Column("lost_usd", sa.Float, nullable=False),
        sa.Column("active_s", sa.Float, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
    )

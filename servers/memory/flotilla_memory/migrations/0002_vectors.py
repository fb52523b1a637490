"""Vectors of passages, for stores that are searched with an encoder."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _key(name: str, of: str) -> sa.Column[Any]:
    return sa.Column(name, KEY, sa.ForeignKey(of), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "vectors",
        _key("account_key", "accounts.account_key"),
        _key("passage_key", "passages.passage_key"),
        sa.Column("episode_key", KEY),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    # For the foreign key: without it, deleting a passage reads them all.
    op.create_index("vectors_of_passage", "vectors", ["passage_key"])
    op.create_table(
        "encoded",
        _key("account_key", "accounts.account_key"),
        sa.Column("encoder", sa.Text, nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("passages", sa.Integer, nullable=False),
    )

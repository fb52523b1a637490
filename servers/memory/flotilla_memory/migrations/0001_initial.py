"""Episodes and memories with their index, entities, relations; each row belongs to an account of a tenant."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _key(name: str, of: str | None = None, *, primary: bool = False, optional: bool = False) -> sa.Column[Any]:
    references = [sa.ForeignKey(of)] if of else []
    return sa.Column(name, KEY, *references, primary_key=primary, nullable=optional)


def _account() -> sa.Column[Any]:
    return _key("account_key", "accounts.account_key")


def upgrade() -> None:
    op.create_table(
        "accounts",
        _key("account_key", primary=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("passages", sa.Integer, nullable=False, server_default="0"),
        sa.Column("terms", sa.Integer, nullable=False, server_default="0"),
        sa.UniqueConstraint("tenant_id", "account_id"),
    )
    op.create_table(
        "episodes",
        _key("episode_key", primary=True),
        sa.Column("episode_id", sa.Text, nullable=False, unique=True),
        _account(),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("occurred_at", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.Column("uri", sa.Text),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.UniqueConstraint("account_key", "external_id"),
    )
    op.create_index("episodes_by_time", "episodes", ["account_key", "occurred_at"])
    op.create_index("episodes_by_content", "episodes", ["account_key", "content_hash"])
    op.create_table(
        "passages",
        _key("passage_key", primary=True),
        sa.Column("passage_id", sa.Text, nullable=False, unique=True),
        _account(),
        sa.Column("kind", sa.Text, nullable=False),
        _key("episode_key", "episodes.episode_key", optional=True),
        sa.Column("position", sa.Integer),
        sa.Column("speaker", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.Text, nullable=False),
        sa.Column("terms", sa.Integer, nullable=False),
    )
    op.create_index("passages_by_episode", "passages", ["episode_key", "position", "terms"])
    op.create_index("passages_by_speaker", "passages", ["account_key", "speaker"])
    op.create_table(
        "postings",
        _key("account_key", primary=True),
        sa.Column("term", sa.Text, primary_key=True),
        _key("passage_key", primary=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("terms", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "memories",
        _key("passage_key", "passages.passage_key", primary=True),
        _account(),
        sa.Column("attribute", sa.Text),
        sa.Column("valid_from", sa.Text),
        sa.Column("valid_to", sa.Text),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("retired_at", sa.Text),
        _key("superseded_by", "passages.passage_key", optional=True),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("confidence", sa.Float),
        sa.Column("due_on", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("external_id", sa.Text),
        sa.UniqueConstraint("account_key", "external_id"),
    )
    op.create_index("memories_by_content", "memories", ["account_key", "content_hash"])
    for name in ("attribute", "status"):
        given = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"memories_by_{name}", "memories", ["account_key", name], sqlite_where=given, postgresql_where=given
        )
    op.create_index("memories_superseded_by", "memories", ["superseded_by"])
    op.create_table(
        "citations",
        _key("passage_key", "passages.passage_key", primary=True),
        _key("source_key", "passages.passage_key", primary=True),
        _account(),
    )
    op.create_index("citations_of_source", "citations", ["source_key"])
    op.create_table(
        "entities",
        _key("entity_key", primary=True),
        sa.Column("entity_id", sa.Text, nullable=False, unique=True),
        _account(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text),
    )
    op.create_index("entities_of_account", "entities", ["account_key"])
    op.create_table(
        "aliases",
        _key("account_key", "accounts.account_key", primary=True),
        sa.Column("alias", sa.Text, primary_key=True),
        _key("entity_key", "entities.entity_key", primary=True),
    )
    op.create_index("aliases_of_entity", "aliases", ["entity_key"])
    op.create_table(
        "relations",
        _key("relation_key", primary=True),
        _account(),
        _key("subject_key", "entities.entity_key"),
        sa.Column("predicate", sa.Text, nullable=False),
        _key("object_key", "entities.entity_key"),
        sa.Column("valid_from", sa.Text),
        sa.Column("valid_to", sa.Text),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("retired_at", sa.Text),
    )
    op.create_index("relations_of_account", "relations", ["account_key"])
    op.create_index("relations_of_subject", "relations", ["subject_key"])
    op.create_index("relations_of_object", "relations", ["object_key"])
    op.create_table(
        "evidence",
        _key("relation_key", "relations.relation_key", primary=True),
        _key("passage_key", "passages.passage_key", primary=True),
        _account(),
    )
    op.create_index("evidence_of_passage", "evidence", ["passage_key"])

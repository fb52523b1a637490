"""Accounts, contacts, deals and activities with their history, and the pipelines that a new store begins with."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# By code points on both databases, so that a range is what begins with a text.
WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
PIPELINES = {"sales": "Sales", "renewals": "Renewals"}
STAGES = {
    "sales": [
        ("Qualification", "open"),
        ("Discovery", "open"),
        ("Proposal", "open"),
        ("Negotiation", "open"),
        ("Closed Won", "won"),
        ("Closed Lost", "lost"),
    ],
    "renewals": [
        ("Upcoming", "open"),
        ("Offered", "open"),
        ("Committed", "open"),
        ("Renewed", "won"),
        ("Churned", "lost"),
    ],
}


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("title", sa.Text),
        sa.Column("name_folded", WORD, nullable=False),
    )
    op.create_index("users_by_email", "users", ["email"])
    op.create_index("users_by_name", "users", ["name_folded"])
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("domain", sa.Text),
        sa.Column("industry", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("segment", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("owner_id", sa.Text, sa.ForeignKey("users.user_id")),
        sa.Column("billing_customer_id", sa.Text),
        sa.Column("renewal_on", sa.Text),
        sa.Column("satisfaction", sa.Integer),
        sa.Column("description", sa.Text),
        sa.Column("name_folded", WORD, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
    )
    op.create_index("accounts_by_name", "accounts", ["name_folded", "account_id"])
    op.create_index("accounts_by_domain", "accounts", ["domain"])
    op.create_table(
        "contacts",
        sa.Column("contact_id", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.account_id")),
        sa.Column("first_name", sa.Text),
        sa.Column("last_name", sa.Text),
        sa.Column("email", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("title", sa.Text),
        sa.Column("role", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("owner_id", sa.Text, sa.ForeignKey("users.user_id")),
        sa.Column("description", sa.Text),
        sa.Column("email_key", sa.Text),
        sa.Column("email_domain", sa.Text),
        sa.Column("merged_into", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
    )
    op.create_index("contacts_of_account", "contacts", ["account_id", "contact_id"])
    op.create_index("contacts_by_email", "contacts", ["email_key"])
    op.create_index("contacts_by_phone", "contacts", ["phone"])
    op.create_index("contacts_by_domain", "contacts", ["account_id", "email_domain"])
    op.create_table(
        "pipelines",
        sa.Column("pipeline_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_table(
        "stages",
        sa.Column("pipeline_id", sa.Text, sa.ForeignKey("pipelines.pipeline_id"), primary_key=True),
        sa.Column("stage", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
    )
    op.create_table(
        "deals",
        sa.Column("deal_id", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.account_id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("pipeline_id", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("amount_minor", sa.BigInteger),
        sa.Column("currency", sa.Text),
        sa.Column("close_on", sa.Text),
        sa.Column("owner_id", sa.Text, sa.ForeignKey("users.user_id")),
        sa.Column("next_step", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("name_folded", WORD, nullable=False),
        sa.Column("stage_kind", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
    )
    op.create_index("deals_of_account", "deals", ["account_id", "deal_id"])
    op.create_index("deals_by_name", "deals", ["name_folded", "deal_id"])
    op.create_index("deals_by_close", "deals", ["stage_kind", "close_on", "deal_id"])
    op.create_table(
        "deal_contacts",
        sa.Column("deal_id", sa.Text, sa.ForeignKey("deals.deal_id"), primary_key=True),
        sa.Column("contact_id", sa.Text, sa.ForeignKey("contacts.contact_id"), primary_key=True),
        sa.Column("role", sa.Text),
    )
    op.create_index("deals_of_contact", "deal_contacts", ["contact_id"])
    op.create_table(
        "activities",
        sa.Column("activity_id", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text, sa.ForeignKey("accounts.account_id"), nullable=False),
        sa.Column("contact_id", sa.Text, sa.ForeignKey("contacts.contact_id")),
        sa.Column("deal_id", sa.Text, sa.ForeignKey("deals.deal_id")),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("direction", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("body", sa.Text),
        sa.Column("occurred_at", sa.Text, nullable=False),
        sa.Column("due_on", sa.Text),
        sa.Column("done", sa.Integer),
        sa.Column("priority", sa.Text),
        sa.Column("owner_id", sa.Text, sa.ForeignKey("users.user_id")),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
    )
    op.create_index("activities_of_account", "activities", ["account_id", "occurred_at", "activity_id"])
    op.create_index("activities_of_contact", "activities", ["contact_id", "occurred_at"])
    op.create_index("activities_of_deal", "activities", ["deal_id"])
    op.create_table(
        "field_history",
        sa.Column("history_key", KEY, primary_key=True),
        sa.Column("record_type", sa.Text, nullable=False),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("old", sa.Text),
        sa.Column("new", sa.Text),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("digest", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("history_of_record", "field_history", ["record_type", "record_id", "version"])
    op.create_index("history_of_account", "field_history", ["account_id", "at", "history_key"])
    op.create_table(
        "merges",
        sa.Column("loser_id", sa.Text, sa.ForeignKey("contacts.contact_id"), primary_key=True),
        sa.Column("winner_id", sa.Text, sa.ForeignKey("contacts.contact_id"), nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_table(
        "search_words",
        sa.Column("word", WORD, primary_key=True),
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("record_id", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("search_words_of_account", "search_words", ["account_id", "word"])
    pipelines = sa.table("pipelines", sa.column("pipeline_id"), sa.column("name"))
    op.bulk_insert(pipelines, [{"pipeline_id": key, "name": name} for key, name in PIPELINES.items()])
    stages = sa.table("stages", *map(sa.column, ("pipeline_id", "stage", "position", "kind")))
    op.bulk_insert(
        stages,
        [
            {"pipeline_id": key, "stage": stage, "position": position, "kind": kind}
            for key, given in STAGES.items()
            for position, (stage, kind) in enumerate(given, 1)
        ],
    )

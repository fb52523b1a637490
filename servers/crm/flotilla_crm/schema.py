"""The tables of the CRM's store, as `migrations/` creates them.

Every record has a `version`, and every change of one is in `field_history`, in the same transaction. Times are ISO 8601
in UTC with milliseconds, so they sort as text; days are `YYYY-MM-DD`; money is integer minor units.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, Table, Text

metadata = MetaData()
# SQLite gives keys of its own only to a column of the type INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")
# By code points on both databases, so that a range is what begins with a text.
Word = Text().with_variant(Text(collation="C"), "postgresql")

users = Table(
    "users",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("title", Text),
    Column("name_folded", Word, nullable=False),
    Index("users_by_email", "email"),
    Index("users_by_name", "name_folded"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("domain", Text),
    Column("industry", Text),
    Column("phone", Text),
    Column("segment", Text),
    Column("status", Text),
    Column("owner_id", Text, ForeignKey("users.user_id")),
    Column("billing_customer_id", Text),
    Column("renewal_on", Text),
    Column("satisfaction", Integer),  # 0 to 100, as a survey said
    Column("description", Text),
    Column("name_folded", Word, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Index("accounts_by_name", "name_folded", "account_id"),
    Index("accounts_by_domain", "domain"),
)

contacts = Table(
    "contacts",
    metadata,
    Column("contact_id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.account_id")),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("title", Text),
    Column("role", Text),
    Column("status", Text),
    Column("owner_id", Text, ForeignKey("users.user_id")),
    Column("description", Text),
    Column("email_key", Text),  # the e-mail in lower case; null once the contact was merged into another
    Column("email_domain", Text),
    Column("merged_into", Text),
    Column("version", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Index("contacts_of_account", "account_id", "contact_id"),
    Index("contacts_by_email", "email_key"),
    Index("contacts_by_phone", "phone"),
    Index("contacts_by_domain", "account_id", "email_domain"),
)

pipelines = Table(
    "pipelines",
    metadata,
    Column("pipeline_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
)

stages = Table(
    "stages",
    metadata,
    Column("pipeline_id", Text, ForeignKey("pipelines.pipeline_id"), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # open, won, lost
)

deals = Table(
    "deals",
    metadata,
    Column("deal_id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.account_id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("pipeline_id", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("close_on", Text),
    Column("owner_id", Text, ForeignKey("users.user_id")),
    Column("next_step", Text),
    Column("description", Text),
    Column("name_folded", Word, nullable=False),
    Column("stage_kind", Text, nullable=False),  # of its stage: open, won, lost
    Column("version", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Index("deals_of_account", "account_id", "deal_id"),
    Index("deals_by_name", "name_folded", "deal_id"),
    Index("deals_by_close", "stage_kind", "close_on", "deal_id"),
)

deal_contacts = Table(
    "deal_contacts",
    metadata,
    Column("deal_id", Text, ForeignKey("deals.deal_id"), primary_key=True),
    Column("contact_id", Text, ForeignKey("contacts.contact_id"), primary_key=True),
    Column("role", Text),
    Index("deals_of_contact", "contact_id"),
)

# Calls, e-mails, meetings, tasks, tickets and notes.
activities = Table(
    "activities",
    metadata,
    Column("activity_id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("accounts.account_id"), nullable=False),
    Column("contact_id", Text, ForeignKey("contacts.contact_id")),
    Column("deal_id", Text, ForeignKey("deals.deal_id")),
    Column("kind", Text, nullable=False),
    Column("direction", Text),
    Column("subject", Text),
    Column("body", Text),
    Column("occurred_at", Text, nullable=False),
    Column("due_on", Text),
    Column("done", Integer),
    Column("priority", Text),
    Column("owner_id", Text, ForeignKey("users.user_id")),
    Column("version", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Index("activities_of_account", "account_id", "occurred_at", "activity_id"),
    Index("activities_of_contact", "contact_id", "occurred_at"),
    Index("activities_of_deal", "deal_id"),
)

# One row for each field that a change set, a record's creation included: in order they make the record as it is.
field_history = Table(
    "field_history",
    metadata,
    Column("history_key", Key, primary_key=True),
    Column("record_type", Text, nullable=False),  # account, contact, deal, activity
    Column("record_id", Text, nullable=False),
    Column("account_id", Text),  # whose history it is
    Column("version", Integer, nullable=False),
    Column("field", Text, nullable=False),
    Column("old", Text),  # JSON
    Column("new", Text),  # JSON
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("digest", Text),  # of the arguments of the call that made it
    Column("reason", Text),
    Index("history_of_record", "record_type", "record_id", "version"),
    Index("history_of_account", "account_id", "at", "history_key"),
)

merges = Table(
    "merges",
    metadata,
    Column("loser_id", Text, ForeignKey("contacts.contact_id"), primary_key=True),
    Column("winner_id", Text, ForeignKey("contacts.contact_id"), nullable=False),
    Column("account_id", Text),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
)

# The index of the search: a row for each word of an account's, or of one of its contacts', names and addresses.
search_words = Table(
    "search_words",
    metadata,
    Column("word", Word, primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Index("search_words_of_account", "account_id", "word"),
)

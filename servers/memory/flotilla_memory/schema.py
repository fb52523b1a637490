"""The tables of the memory store, as `migrations/` creates them.

Every row belongs to one account of one tenant, by `account_key`; an erased account leaves none. Keys are internal
integers, ids are what callers see. Times are ISO 8601 in UTC with milliseconds, so they sort as text.
"""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()
# SQLite gives keys of its own only to a column of the type INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")

accounts = Table(
    "accounts",
    metadata,
    Column("account_key", Key, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),  # unique with tenant_id
    # What the index holds of it, kept by whoever writes the index: how rare a term is needs both, without counting.
    Column("passages", Integer, nullable=False, server_default="0"),
    Column("terms", Integer, nullable=False, server_default="0"),
)

episodes = Table(
    "episodes",
    metadata,
    Column("episode_key", Key, primary_key=True),
    Column("episode_id", Text, nullable=False),  # ep_…, unique
    Column("account_key", Key, ForeignKey("accounts.account_key"), nullable=False),
    Column("channel", Text, nullable=False),  # call, email, ticket, note, chat, run, …
    Column("title", Text),
    Column("occurred_at", Text, nullable=False),
    Column("external_id", Text),  # unique with account_key where given
    Column("uri", Text),
    Column("content_hash", Text, nullable=False),
    Column("recorded_at", Text, nullable=False),
)

# What is searched: a turn of an episode, or a memory. Both have one row here.
passages = Table(
    "passages",
    metadata,
    Column("passage_key", Key, primary_key=True),
    Column("passage_id", Text, nullable=False),  # mem_…, or ep_…#3 for an episode's third turn; unique
    Column("account_key", Key, ForeignKey("accounts.account_key"), nullable=False),
    Column("kind", Text, nullable=False),  # turn, fact, preference, decision, event, commitment, note
    Column("episode_key", Key, ForeignKey("episodes.episode_key")),  # of a turn
    Column("position", Integer),  # of a turn in its episode, from 1
    Column("speaker", Text),  # of a turn; the subject of a memory
    Column("text", Text, nullable=False),
    Column("occurred_at", Text, nullable=False),
    Column("terms", Integer, nullable=False),  # how many terms the index has of it
    # A search reads the lengths of whole episodes: out of this index alone.
    Index("passages_by_episode", "episode_key", "position", "terms"),
    Index("passages_by_speaker", "account_key", "speaker"),  # what is by or about somebody, and all of an account
)

# The index: one row for each term of a passage. Clustered by account, so that a search touches one account's terms.
postings = Table(
    "postings",
    metadata,
    Column("account_key", Key, primary_key=True),
    Column("term", Text, primary_key=True),
    Column("passage_key", Key, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("terms", Integer, nullable=False),  # of the passage, as in passages: a score needs no second look-up
    sqlite_with_rowid=False,
)

# With an encoder: the direction of each passage's text, a signed byte in each dimension.
vectors = Table(
    "vectors",
    metadata,
    Column("account_key", Key, ForeignKey("accounts.account_key"), primary_key=True),
    Column("passage_key", Key, ForeignKey("passages.passage_key"), primary_key=True),
    Column("episode_key", Key),  # as in passages: a search reads all vectors of an account, and no passage for it
    Column("vector", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# How many passages of an account have their vector, and of which encoder all of them are.
encoded = Table(
    "encoded",
    metadata,
    Column("account_key", Key, ForeignKey("accounts.account_key"), primary_key=True),
    Column("encoder", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("passages", Integer, nullable=False),
)

# What a memory has beyond its passage.
memories = Table(
    "memories",
    metadata,
    Column("passage_key", Key, ForeignKey("passages.passage_key"), primary_key=True),
    Column("account_key", Key, ForeignKey("accounts.account_key"), nullable=False),
    Column("attribute", Text),  # what of the subject it says, such as renewal_date: one is believed at a time
    Column("valid_from", Text),
    Column("valid_to", Text),  # exclusive
    Column("recorded_at", Text, nullable=False),
    Column("retired_at", Text),  # when it was superseded or expired: believed in [recorded_at, retired_at)
    Column("superseded_by", Key, ForeignKey("passages.passage_key")),
    Column("content_hash", Text, nullable=False),  # of account, kind, subject, attribute and normalised text
    Column("confidence", Float),
    Column("due_on", Text),  # of a commitment, a day
    Column("status", Text),  # of a commitment: open, kept, broken
    Column("external_id", Text),
)

citations = Table(
    "citations",
    metadata,
    Column("passage_key", Key, ForeignKey("passages.passage_key"), primary_key=True),
    Column("source_key", Key, ForeignKey("passages.passage_key"), primary_key=True),
    Column("account_key", Key, ForeignKey("accounts.account_key"), nullable=False),
)

entities = Table(
    "entities",
    metadata,
    Column("entity_key", Key, primary_key=True),
    Column("entity_id", Text, nullable=False),  # ent_…, unique
    Column("account_key", Key, ForeignKey("accounts.account_key"), nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text),
)

aliases = Table(
    "aliases",
    metadata,
    Column("account_key", Key, ForeignKey("accounts.account_key"), primary_key=True),
    Column("alias", Text, primary_key=True),  # folded: lower case, no marks, single spaces
    Column("entity_key", Key, ForeignKey("entities.entity_key"), primary_key=True),
)

relations = Table(
    "relations",
    metadata,
    Column("relation_key", Key, primary_key=True),
    Column("account_key", Key, ForeignKey("accounts.account_key"), nullable=False),
    Column("subject_key", Key, ForeignKey("entities.entity_key"), nullable=False),
    Column("predicate", Text, nullable=False),
    Column("object_key", Key, ForeignKey("entities.entity_key"), nullable=False),
    Column("valid_from", Text),
    Column("valid_to", Text),
    Column("recorded_at", Text, nullable=False),
    Column("retired_at", Text),
)

evidence = Table(
    "evidence",
    metadata,
    Column("relation_key", Key, ForeignKey("relations.relation_key"), primary_key=True),
    Column("passage_key", Key, ForeignKey("passages.passage_key"), primary_key=True),
    Column("account_key", Key, ForeignKey("accounts.account_key"), nullable=False),
)

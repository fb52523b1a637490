"""The sample company's CRM, for `--demo-data`."""

from sqlalchemy import Connection, exists, select

from .schema import accounts


def is_empty(conn: Connection) -> bool:
    """Whether there is no account."""
    return not conn.execute(select(exists().select_from(accounts))).scalar_one()


def load(conn: Connection) -> None:
    """Write the sample into an empty store."""
    del conn

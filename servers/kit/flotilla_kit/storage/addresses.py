"""Where a server finds its database: PostgreSQL by `database_url`, else a SQLite file in the home folder."""

from ..settings import ServerSettings


def store_url(settings: ServerSettings) -> str:
    """The store's address: `database_url`, else `HOME/SERVER.db`."""
    return _url(settings, f"{settings.server}.db")


def audit_url(settings: ServerSettings) -> str:
    """Where a server whose store cannot be written to keeps its audit: PostgreSQL, else `HOME/SERVER-audit.db`."""
    return _url(settings, f"{settings.server}-audit.db")


def _url(settings: ServerSettings, file: str) -> str:
    if settings.database_url:
        return settings.database_url.get_secret_value()
    return f"sqlite:///{settings.home / file}"

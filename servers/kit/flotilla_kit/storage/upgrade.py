"""Schema upgrades with Alembic. Loaded only when a migration is due: the import costs a third of a start."""

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from .schema import Migrations

_LOCK = 0x666C6F74  # "flot": serialises upgrades of replicas that start together on PostgreSQL


def upgrade(connection: Connection, migrations: Sequence[Migrations]) -> None:
    """Bring each lineage to its head inside the caller's transaction; what is current stays untouched."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    for lineage in migrations:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
        config.set_main_option("version_locations", str(lineage.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "newline")
        config.attributes["connection"] = connection
        config.attributes["version_table"] = f"{lineage.name}_version"
        command.upgrade(config, "head")

"""Where a server keeps its data: one code path to SQLite and PostgreSQL, its schema, and its address."""

from .database import Database, database_errors
from .prepared import PreparedSelect
from .schema import KIT_MIGRATIONS, Migrations
from .store import KitStore, Store

__all__ = ["KIT_MIGRATIONS", "Database", "KitStore", "Migrations", "PreparedSelect", "Store", "database_errors"]

"""Where a server's audit is: beside its data, or apart where the data's place takes no writes or is no database."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from . import effects
from .database import Database

if TYPE_CHECKING:
    from .server import Store
    from .settings import ServerSettings


@asynccontextmanager
async def open_records(
    settings: "ServerSettings", store: "Store", *, read_only: bool = False
) -> AsyncGenerator[Database]:
    """The database of the audit of a server with these settings, over its store, which is open.

    Args:
        read_only: only to look at; what is not there yet is empty and is not created.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    beside = None if settings.read_only else store.database
    if beside is not None:
        yield beside
        return
    apart = await Database.open(settings.audit_url(), [effects.MIGRATIONS], read_only=read_only)
    try:
        yield apart
    finally:
        await apart.close()

"""Where a server's audit is: beside its data, or apart where the data's place takes no writes or is no database."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ..settings import ServerSettings
from .addresses import audit_url
from .database import Database
from .schema import KIT_MIGRATIONS
from .store import Store


@asynccontextmanager
async def open_records(settings: ServerSettings, store: Store, *, read_only: bool = False) -> AsyncGenerator[Database]:
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
    apart = await Database.open(audit_url(settings), [KIT_MIGRATIONS], read_only=read_only)
    try:
        yield apart
    finally:
        await apart.close()


@asynccontextmanager
async def read_records(settings: ServerSettings, create_store: Callable[[Any], Store]) -> AsyncGenerator[Database]:
    """The database of the audit, only to look at, beside a running server or without one.

    Raises:
        StoreUnavailable: the database cannot be reached.
    """
    # A store that is opened to be read neither drives on what is unsettled nor loads a sample.
    store = create_store(settings.model_copy(update={"read_only": True}))
    await store.open()
    try:
        async with open_records(settings, store, read_only=True) as records:
            yield records
    finally:
        await store.close()

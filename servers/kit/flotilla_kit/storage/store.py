"""What a server keeps its data in, as the kit sees it."""

from typing import Protocol

from ..settings import ServerSettings
from .addresses import store_url
from .database import Database
from .schema import KIT_MIGRATIONS


class Store(Protocol):
    """What a server keeps its data in. The server opens it when it starts and closes it when it ends."""

    @property
    def database(self) -> Database | None:
        """Where effects, approvals and the audit live beside the data, once open; None if it has no place for them."""
        ...

    async def open(self) -> None:
        """Connect, bring the schema up to date, finish what an earlier process left in the middle."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go."""
        ...

    async def ping(self) -> None:
        """Return if the store answers.

        Raises:
            StoreUnavailable: it does not.
        """
        ...


class KitStore:
    """The kit's own records (effects, approvals, audit), for a server that keeps nothing else."""

    database: Database
    """Once open."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    async def open(self) -> None:
        self.database = await Database.open(
            store_url(self._settings), [KIT_MIGRATIONS], read_only=self._settings.read_only
        )

    async def close(self) -> None:
        await self.database.close()

    async def ping(self) -> None:
        await self.database.ping()

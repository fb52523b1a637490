"""What a server keeps its data in, as the kit sees it."""

from typing import Protocol

from .database import Database


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

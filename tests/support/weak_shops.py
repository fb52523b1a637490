"""The shop, weakened on purpose in one way each; the kit's suite must find every one of them, by the rule meant for it.

All are specs whose functions have module names, so that the processes which the suite starts are weakened too.
"""

from contextlib import suppress
from typing import Any

from fastmcp import FastMCP
from fastmcp.tools import tool
from flotilla_kit import approvals, effects
from flotilla_kit.cli import ServerSpec
from flotilla_kit.effects import Effect
from flotilla_kit.errors import NotFound
from flotilla_kit.settings import ServerSettings
from flotilla_kit.tools import READ, declare
from mcp_types import ToolAnnotations
from sqlalchemy import Connection, text

from .shop import ABOVE, Order, Payout, ShopStore, build, pay


class IgnoresScope(ShopStore):
    """Reads whatever order it is asked for."""

    def order(self, connection: Connection, scope: str | None, order_id: str) -> Order:
        return super().order(connection, None, order_id)


class NamesTheOther(ShopStore):
    """Says of an order out of scope whose it is."""

    def order(self, connection: Connection, scope: str | None, order_id: str) -> Order:
        found = super().order(connection, None, order_id)
        if scope not in (None, found.customer_id):
            raise NotFound(f"There is no order {order_id} of yours: {found.title} is of {found.customer_id}.")
        return found


class RepeatsRows(ShopStore):
    """A page begins with the last row of the one before."""

    def orders(
        self, connection: Connection, scope: str | None, customer_id: str, limit: int, after: str
    ) -> list[Order]:
        found = super().orders(connection, scope, customer_id, 1000, "")
        return [order for order in found if order.order_id >= after][:limit]


class PaysFirst(ShopStore):
    """Pays in one transaction and records the effect in another."""

    async def pay_back(self, scope: str | None, effect: Effect, order_id: str, amount: int, note: str) -> Payout:
        payout = Payout(order_id=order_id, amount=amount)

        def allowed(connection: Connection) -> Payout | None:
            self.order(connection, scope, order_id)
            return Payout(**earlier) if (earlier := effects.recorded(connection, effect)) is not None else None

        def recorded(connection: Connection) -> Payout:
            cleared = approvals.require(connection, effect, needed=amount > ABOVE, facts={"amount": amount})
            effects.record(connection, cleared, payout.model_dump())
            return payout

        def asked(connection: Connection) -> None:
            approvals.require(connection, effect, needed=amount > ABOVE, facts={"amount": amount})
            raise _Undone

        if (earlier := await self.database.write(allowed)) is not None:
            return earlier
        with suppress(_Undone):
            await self.database.write(asked)
        await self.database.write(pay, payout, note)
        return await self.database.write(recorded)


class _Undone(Exception):
    """Undoes a transaction that only looked."""


class ForgetsKeys(ShopStore):
    """Does again what was done by the same key."""

    def paid_back(
        self, connection: Connection, scope: str | None, effect: Effect, order_id: str, amount: int, note: str
    ) -> Payout:
        earlier = effects.recorded(connection, effect)
        if earlier is not None:
            pay(connection, Payout(**earlier), note)
        return super().paid_back(connection, scope, effect, order_id, amount, note)


class Notes(ShopStore):
    """Writes down who read."""

    async def get(self, scope: str | None, order_id: str) -> Order:
        def noted(connection: Connection) -> None:
            connection.execute(text("INSERT INTO payouts VALUES ('read', 0, '')"))

        if not self._settings.read_only:
            await self.database.write(noted)
        return await super().get(scope, order_id)


def forgets_to_be_read_only(settings: ServerSettings, store: Any) -> FastMCP:
    """Offers what changes something also when it is told to be read-only."""
    return build(settings.model_copy(update={"read_only": False}), store)


@tool(annotations=ToolAnnotations(read_only_hint=True))
@declare(scoped="it has no records")
async def get_weather(place: str = "here") -> str:
    """The weather."""
    return f"fair, {place}"


@tool(annotations=READ, description="A story. " + "Once upon a time there was a fleet of small servers. " * 60)
@declare(scoped="it has no records")
async def get_story(words: str = "") -> str:
    return words


@tool(annotations=READ)
@declare(scoped="it has no records")
async def getLongNamedThingForEverybody(words: str = "") -> str:
    """A thing with a name that no client shows whole."""
    return words


def without_annotations(settings: ServerSettings, store: Any) -> FastMCP:
    return build(settings, store, [get_weather])


def too_many_bytes(settings: ServerSettings, store: Any) -> FastMCP:
    return build(settings, store, [get_story])


def named_oddly(settings: ServerSettings, store: Any) -> FastMCP:
    return build(settings, store, [getLongNamedThingForEverybody])


def spec(store: Any = ShopStore, create: Any = build) -> ServerSpec:
    return ServerSpec(store, create)

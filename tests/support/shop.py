"""A small shop: two customers' orders, listed, read, and paid back once for each key; for tests of the kit's suite."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from fastmcp import FastMCP
from fastmcp.tools import tool
from flotilla_kit import approvals, effects, tools
from flotilla_kit.cli import ServerSpec
from flotilla_kit.effects import Effect, IdempotencyKey
from flotilla_kit.errors import NotFound
from flotilla_kit.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from flotilla_kit.server import build_server
from flotilla_kit.settings import ServerSettings
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from flotilla_kit.testing import Change, Read, ServerUnderTest
from flotilla_kit.tools import DESTROY, READ, declare, store_of
from pydantic import BaseModel, Field
from pydantic_settings import SettingsConfigDict
from sqlalchemy import Connection, Row, text

OURS, THEIRS = "cust_ours", "cust_quillfeather"
ABOVE = 50
OrderId = Annotated[str, Field(pattern=r"^ord_[a-z0-9]{1,20}$")]
CustomerId = Annotated[str, Field(pattern=r"^cust_[a-z0-9]{1,20}$")]


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="FLOTILLA_SHOP_")
    server: ClassVar[str] = "shop"


class Order(BaseModel):
    order_id: str
    customer_id: str
    title: str
    paid: int


class Payout(BaseModel):
    order_id: str
    amount: int


class ShopStore:
    """Orders and what was paid back on them, in one database."""

    database: Database

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    async def open(self) -> None:
        read_only = self._settings.read_only
        self.database = await Database.open(store_url(self._settings), [KIT_MIGRATIONS], read_only=read_only)
        if not read_only:
            await self.database.write(_create)

    async def close(self) -> None:
        await self.database.close()

    async def ping(self) -> None: ...

    async def get(self, scope: str | None, order_id: str) -> Order:
        return await self.database.read(self.order, scope, order_id)

    def order(self, connection: Connection, scope: str | None, order_id: str) -> Order:
        row = connection.execute(text("SELECT * FROM orders WHERE order_id = :id"), {"id": order_id}).one_or_none()
        if row is None or scope not in (None, row.customer_id):
            raise NotFound(f"There is no order {order_id}.", suggestion="list_orders shows which there are.")
        return _order(row)

    async def find(self, scope: str | None, customer_id: str, limit: int, after: str) -> list[Order]:
        return await self.database.read(self.orders, scope, customer_id, limit, after)

    def orders(
        self, connection: Connection, scope: str | None, customer_id: str, limit: int, after: str
    ) -> list[Order]:
        query = (
            "SELECT * FROM orders WHERE customer_id = :customer AND order_id > :after ORDER BY order_id LIMIT :limit"
        )
        values = {"customer": scope or customer_id, "after": after, "limit": limit}
        return [_order(row) for row in connection.execute(text(query), values)]

    async def pay_back(self, scope: str | None, effect: Effect, order_id: str, amount: int, note: str) -> Payout:
        return await self.database.write(self.paid_back, scope, effect, order_id, amount, note)

    def paid_back(
        self, connection: Connection, scope: str | None, effect: Effect, order_id: str, amount: int, note: str
    ) -> Payout:
        order = self.order(connection, scope, order_id)
        if (earlier := effects.recorded(connection, effect)) is not None:
            return Payout(**earlier)
        facts = {"amount": amount, "order": order.order_id}
        cleared = approvals.require(connection, effect, needed=amount > ABOVE, facts=facts)
        payout = Payout(order_id=order_id, amount=amount)
        pay(connection, payout, note)
        effects.record(connection, cleared, payout.model_dump())
        return payout


def _order(row: Row[Any]) -> Order:
    return Order(**dict(zip(Order.model_fields, row, strict=True)))


def pay(connection: Connection, payout: Payout, note: str) -> None:
    values = {"id": payout.order_id, "amount": payout.amount, "note": note}
    connection.execute(text("INSERT INTO payouts (order_id, amount, note) VALUES (:id, :amount, :note)"), values)


def _create(connection: Connection) -> None:
    connection.execute(
        text("CREATE TABLE IF NOT EXISTS orders (order_id TEXT, customer_id TEXT, title TEXT, paid INT)")
    )
    connection.execute(text("CREATE TABLE IF NOT EXISTS payouts (order_id TEXT, amount INT, note TEXT)"))


async def stock(store: ShopStore) -> None:
    """Three orders of each customer."""
    await store.database.write(_stock)


def _stock(connection: Connection) -> None:
    for customer, letter, title in ((OURS, "a", "a lamp"), (THEIRS, "z", "Quillfeather's quill")):
        for number in range(1, 4):
            values = {"id": f"ord_{letter}{number}", "customer": customer, "title": f"{title}, {number}", "paid": 900}
            connection.execute(text("INSERT INTO orders VALUES (:id, :customer, :title, :paid)"), values)


def _scope() -> str | None:
    return tools.scope().get("customer_id")


@tool(annotations=READ)
@declare(scoped="the store looks at the order's customer")
async def get_order(order_id: OrderId) -> Order:
    """One order."""
    return await store_of().get(_scope(), order_id)


@tool(annotations=READ)
async def list_orders(customer_id: CustomerId, limit: Limit = 20, cursor: Cursor | None = None) -> Page[Order]:
    """A customer's orders."""
    after = str(decode_cursor(cursor, str)[0]) if cursor is not None else ""
    found = await store_of().find(_scope(), customer_id, limit + 1, after)
    more = encode_cursor(found[limit - 1].order_id) if len(found) > limit else None
    return Page[Order](items=found[:limit], next_cursor=more)


@tool(annotations=DESTROY)
@declare(approval="rule", scoped="the store looks at the order's customer")
async def pay_back(
    order_id: OrderId,
    amount: Annotated[int, Field(ge=1, le=1000)],
    note: Annotated[str, Field(max_length=200)] = "",
    idempotency_key: IdempotencyKey | None = None,
) -> Payout:
    """Pays back a part of an order. Above 50 a person approves it."""
    del idempotency_key
    return await store_of().pay_back(_scope(), tools.effect(), order_id, amount, note)


TOOLS = [get_order, list_orders, pay_back]


def build(settings: ServerSettings, store: Any, more: Any = ()) -> FastMCP:
    """The shop's server, with further tools."""
    return build_server(settings, store, instructions="A shop.", tools=[*TOOLS, *more], scope_keys=["customer_id"])


SPEC = ServerSpec(ShopStore, build)
SAMPLES = [
    Read("get_order", {"order_id": "ord_a1"}, out_of_scope=[{"order_id": "ord_z1"}]),
    Read("list_orders", {"customer_id": OURS}, out_of_scope=[{"customer_id": THEIRS}]),
    Change("pay_back", {"order_id": "ord_a1", "amount": 5, "note": "sorry"}, out_of_scope=[{"order_id": "ord_z1"}]),
    Change("pay_back", {"order_id": "ord_a2", "amount": 60}, waits=True),
]


def shop(spec: ServerSpec = SPEC, **changes: Any) -> ServerUnderTest:
    """The shop, or a weakened one, with all that the suite has to know of it."""
    sound = ServerUnderTest(
        spec, Settings, SAMPLES, prepare=stock, scope={"customer_id": OURS}, canaries=["Quillfeather"]
    )
    return replace(sound, **changes)

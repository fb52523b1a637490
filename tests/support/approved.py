"""Billing servers over one database, called in memory with real tokens: by workers who ask, and by approvers."""

import csv
import io
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_billing import books
from flotilla_billing.gateway import PaymentGateway
from flotilla_billing.payments_import import PAYMENTS_IMPORT
from flotilla_billing.server import create_server
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from flotilla_kit import audit, imports
from flotilla_kit.identity.approvers import mint
from flotilla_kit.identity.auth import Bearer
from flotilla_kit.identity.keys import SigningKey, write_jwks
from flotilla_kit.imports import Source
from flotilla_kit.server import guard_of
from flotilla_kit.storage import Database
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from sqlalchemy import text

from .answers import answer_of
from .tokens import worker_claims

CLERK = "refund-clerk"
APPROVERS = ("ada", "grace", CLERK)  # the last is also who asks: that one must not decide its own
LASTS_S = 3_500  # longer than a proof
ISSUER = "flotilla-billing-approvers"


class Charge(NamedTuple):
    transaction_id: str
    customer_id: str
    amount_minor: int = 30_000
    currency: str = "USD"


class Tokens:
    """The two issuers of tokens; `home` gets their public keys."""

    def __init__(self, home: Path) -> None:
        self._workers, self._approvers = SigningKey.generate(), {name: SigningKey.generate(name) for name in APPROVERS}
        home.mkdir(parents=True, exist_ok=True)
        write_jwks(home / "workers.json", [self._workers.public_jwk()])
        write_jwks(home / "approvers.json", [key.public_jwk() for key in self._approvers.values()])

    def worker(self, run: str, subject: str = CLERK, customer_id: str = "", **bounds: Mapping[str, Any]) -> str:
        """A mandate for refunds; it names decide_approval too, which no mandate can give."""
        tools = ("issue_refund", "request_approval", "get_approval", "decide_approval")
        details: list[dict[str, Any]] = [{"type": "mcp_tool", "tool": tool} for tool in tools]
        if bounds:
            details[0]["arguments"] = {"properties": bounds}
        scope = {"customer_id": customer_id} if customer_id else {}
        return self._signed(run=run, sub=subject, authorization_details=details, scope=scope)

    def reader(self, run: str) -> str:
        """A mandate that does not name issue_refund."""
        details = [{"type": "mcp_tool", "tool": tool} for tool in ("get_refund", "get_approval")]
        return self._signed(run=run, sub=CLERK, authorization_details=details)

    def approver(self, name: str = "ada") -> str:
        return mint(self._approvers[name], issuer=ISSUER, audience="billing", minutes=LASTS_S / 60)

    def _signed(self, **claims: object) -> str:
        return self._workers.sign(worker_claims(exp=int(time.time()) + LASTS_S, **claims))


def settings(home: Path, database_url: str) -> Settings:
    keys = {"mandate_keys": str(home / "workers.json"), "approver_keys": str(home / "approvers.json")}
    return Settings.load({"home": home, "database_url": database_url, "calls_per_second": 1e6, **keys})


class Replica:
    """One running server; `call` is what the holder of a token does."""

    def __init__(self, client: Client[FastMCPTransport], bearer: Bearer, database: Database) -> None:
        self._client, self._bearer, self.database = client, bearer, database
        self.calls = 0

    async def call(
        self, token: str, tool: str, arguments: Mapping[str, Any], tool_use_id: str | None = None
    ) -> dict[str, Any]:
        """The answer or the error, as data; `tool_use_id` is how Claude Code names the call."""
        caller = await self._bearer.verify_token(token)
        assert caller is not None
        said = auth_context_var.set(AuthenticatedUser(caller))  # as the HTTP layer says it to what it serves
        self.calls += 1
        try:
            meta = {"claudecode/toolUseId": tool_use_id} if tool_use_id else None
            return answer_of(await self._client.call_tool(tool, dict(arguments), raise_on_error=False, meta=meta))
        finally:
            auth_context_var.reset(said)


@asynccontextmanager
async def replica(home: Path, database_url: str, gateway: PaymentGateway | None = None) -> AsyncGenerator[Replica]:
    """A server of its own over the database, up while the block lasts; nobody is let in without a token."""
    store = SqlBillingStore(chosen := settings(home, database_url), gateway)
    server = create_server(chosen, store)
    guard = guard_of(server)
    async with Client(server) as client:
        guard.local = None  # from here on, no token is nobody
        yield Replica(client, Bearer(guard.authority, "http://127.0.0.1", _unexpected), store.database)


async def add_charges(database: Database, charges: Iterable[Charge]) -> None:
    """Import charges made in January, as from Stripe's export."""
    export = io.StringIO()
    rows = csv.writer(export)
    rows.writerow(["id", "Created date (UTC)", "Amount", "Currency", "Status", "Customer ID"])
    for charge in charges:
        amount = f"{charge.amount_minor // 100}.{charge.amount_minor % 100:02}"
        made = "2026-01-05 10:00:00"
        rows.writerow([charge.transaction_id, made, amount, charge.currency, "Paid", charge.customer_id])
    await database.write(imports.load, PAYMENTS_IMPORT, Source(export.getvalue()))


async def rows(database: Database, query: str, **values: object) -> list[Any]:
    """What a query finds."""
    return await database.read(lambda connection: list(connection.execute(text(query), values)))


async def change(database: Database, statement: str, **values: object) -> None:
    """What only somebody with the database's password can do."""
    await database.write(lambda connection: connection.execute(text(statement), values) and None)


async def refunds_of(database: Database, transaction_id: str) -> list[tuple[str, int, str]]:
    """Id, amount and status of each refund of a charge."""
    query = "SELECT refund_id, amount_minor, status FROM refunds WHERE transaction_id = :charge"
    return [tuple(row) for row in await rows(database, query, charge=transaction_id)]


async def sound(database: Database) -> None:
    """The books balance and the audit's chain verifies."""
    assert await database.read(books.check) == []
    verdict = await database.read(audit.verify)
    assert verdict.ok, verdict.problems


def code(answer: Mapping[str, Any]) -> str:
    """`ok`, or the code of the refusal."""
    return str(answer.get("code", "ok"))


def _unexpected(reason: str) -> None:
    raise AssertionError(f"a good token was refused: {reason}")

"""A billing store and server over the sample company."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_billing.server import create_server
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load({"home": tmp_path, "demo_data": True})


UNGUARDED = {"refund_approval_above_minor": 10**9}  # what settings cannot say: a store's other promises, unasked


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncGenerator[SqlBillingStore]:
    """The sample company, once on SQLite and once on PostgreSQL."""
    settings = Settings.load({"home": tmp_path, "demo_data": True, "database_url": database_url})
    opened = SqlBillingStore(settings.model_copy(update=UNGUARDED))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def client(settings: Settings) -> AsyncGenerator[Client[FastMCPTransport]]:
    """An MCP client of a billing server with the sample company on SQLite."""
    async with Client(create_server(settings)) as connected:
        yield connected


@pytest.fixture
async def client_on_each(database_url: str, tmp_path: Path) -> AsyncGenerator[Client[FastMCPTransport]]:
    """An MCP client of a billing server with the sample company, once on SQLite and once on PostgreSQL."""
    settings = Settings.load({"home": tmp_path, "demo_data": True, "database_url": database_url})
    async with Client(create_server(settings)) as connected:
        yield connected

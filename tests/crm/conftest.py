"""A CRM server over two accounts, on each database."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from flotilla_crm.server import create_server
from flotilla_crm.settings import Settings
from support.crm_client import Crm, prepared


@pytest.fixture
async def crm(database_url: str, tmp_path: Path) -> AsyncGenerator[Crm]:
    settings = Settings.load({"home": tmp_path, "database_url": database_url, "as_of": "2026-03-31"})
    await prepared(settings)
    async with Client(create_server(settings)) as client:
        yield Crm(client, settings)


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncGenerator[Crm]:
    settings = Settings.load({"home": tmp_path, "as_of": "2026-03-31"})
    await prepared(settings)
    async with Client(create_server(settings)) as client:
        yield Crm(client, settings)


@pytest.fixture
def settings_of(tmp_path: Path) -> Any:
    def of(**flags: Any) -> Settings:
        return Settings.load({"home": tmp_path, "as_of": "2026-03-31", **flags})

    return of

"""Fixtures of the API: in this process, and as one of its own. A `conftest.py` that wants them imports them."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from .service import Desk, Served, desk


@pytest.fixture
async def api(tmp_path: Path) -> AsyncGenerator[Desk]:
    async with desk(tmp_path) as found:
        yield found


@pytest.fixture
def case(tmp_path: Path) -> Generator[Served]:
    found = Served(tmp_path)
    yield found
    if found.serving:
        found.kill(found.serving)

"""The console in this process."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from support.service import Desk, desk


@pytest.fixture
async def api(tmp_path: Path) -> AsyncGenerator[Desk]:
    async with desk(tmp_path) as found:
        yield found

"""A memory server over a folder of two documents, and an empty one on each database."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_memory.server import create_server
from flotilla_memory.settings import Settings
from support.memory_client import Memory

POLICY = """---
owner: finance
---
# Refund policy

We refund.

## Duplicate charges
A customer who was charged twice gets the later charge back.

```
# not a heading
```

### Large amounts
Escalate them.
"""


@pytest.fixture
def knowledge(tmp_path: Path) -> Path:
    folder = tmp_path / "knowledge"
    (folder / "Team").mkdir(parents=True)
    (folder / "refund-policy.md").write_text(POLICY)
    (folder / "Team" / "Holidays.md").write_text("# Holidays\n\nThe office closes in August.\n")
    return folder


@pytest.fixture
async def client(tmp_path: Path, knowledge: Path) -> AsyncGenerator[Client[FastMCPTransport]]:
    async with Client(create_server(Settings.load({"home": tmp_path, "knowledge": knowledge}))) as connected:
        yield connected


@pytest.fixture
async def memory(database_url: str, tmp_path: Path) -> AsyncGenerator[Memory]:
    settings = Settings.load({"home": tmp_path, "database_url": database_url})
    async with Client(create_server(settings)) as client:
        yield Memory(client, settings)

"""The owner's client of a Kubernetes server, in the words of its tests."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastmcp import Client
from flotilla_k8s.server import create_server
from flotilla_k8s.settings import Settings

from .owner_client import Owner


class K8s(Owner[Settings]):
    """The owner's client."""

    async def text(self, tool: str, **arguments: Any) -> str:
        """The text that a model reads."""
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        return str(result.content[0].text)  # pyright: ignore  # text is all that this server answers

    async def code(self, tool: str, **arguments: Any) -> str:
        """The code of the error that a call must be."""
        answer = await self.call(tool, **arguments)
        assert "suggestion" in answer, answer
        return str(answer["code"])


@asynccontextmanager
async def k8s_client(home: Path, kubeconfig: Path | None, **settings: Any) -> AsyncGenerator[K8s]:
    """The owner's client of a server over the clusters of that kubeconfig; with None, of the one that it finds."""
    where = {} if kubeconfig is None else {"kubeconfig": kubeconfig}
    given = Settings.load({"home": home, **where, **settings})
    async with Client(create_server(given)) as client:
        yield K8s(client, given)

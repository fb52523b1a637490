"""The owner's client of a Kubernetes server, in the words of its tests."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastmcp import Client
from flotilla_k8s.server import create_server
from flotilla_k8s.settings import Settings


class K8s:
    """A client whose answers are data, errors too."""

    def __init__(self, client: Client[Any]) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a call answers: the result, or the error with its `code`."""
        return json.loads(await self.text(tool, **arguments))

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
        yield K8s(client)

"""The owner of a server as its client, in memory: a key for each change, and whoever approves it."""

import itertools
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_kit.settings import ServerSettings

from .answers import answer_of
from .approving import approve_all

Answer = dict[str, Any]
Given = TypeVar("Given", bound=ServerSettings)


@dataclass
class Owner(Generic[Given]):
    """The owner's client of a server."""

    client: Client[FastMCPTransport]
    settings: Given
    keys: "itertools.count[int]" = field(default_factory=itertools.count)

    async def call(self, tool: str, /, **arguments: Any) -> Answer:
        return answer_of(await self.client.call_tool(tool, arguments, raise_on_error=False))

    async def approved(self, tool: str, **arguments: Any) -> Answer:
        """A change by a key of its own, which a person approves where that is needed."""
        said = {"idempotency_key": f"key-{next(self.keys)}", **arguments}
        done = await self.call(tool, **said)
        if done.get("code") == "approval_required":
            assert await approve_all(self.settings) == 1
            done = await self.call(tool, **said)
        return done

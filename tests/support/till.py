"""A till: the smallest server with a tool that changes something, for tests of what the kit puts around every tool."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from fastmcp import FastMCP
from fastmcp.tools import tool
from flotilla_kit import approvals, effects, tools
from flotilla_kit.effects import Effect, IdempotencyKey
from flotilla_kit.identity.keys import SigningKey, write_jwks
from flotilla_kit.server import build_server
from flotilla_kit.settings import ServerSettings
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from flotilla_kit.tools import DESTROY, READ, declare, store_of
from pydantic import Field
from pydantic_settings import SettingsConfigDict
from sqlalchemy import Connection

from .tokens import worker_claims

ABOVE = 50
Detail = Mapping[str, object]


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="FLOTILLA_TILL_")
    server: ClassVar[str] = "till"


class TillStore:
    """What was paid out, which is all that its effects say."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self.paid: list[int] = []

    async def open(self) -> None:
        self.database = await Database.open(store_url(self._settings), [KIT_MIGRATIONS])

    async def close(self) -> None:
        await self.database.close()

    async def ping(self) -> None: ...

    async def pay(self, effect: Effect, amount: int) -> None:
        await self.database.write(self._pay, effect, amount)

    def _pay(self, connection: Connection, effect: Effect, amount: int) -> None:
        if effects.recorded(connection, effect) is None:
            cleared = approvals.require(connection, effect, needed=amount > ABOVE, facts={"amount": f"{amount}"})
            effects.record(connection, cleared, {"amount": amount})
            self.paid.append(amount)


@tool(annotations=READ)
async def say(text: Annotated[str, Field(max_length=1_000_000)], times: int = 1, tone: str | None = None) -> str:
    """Says it again."""
    del tone
    return text * times


@tool(annotations=READ)
async def wait() -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return "unreachable"


@tool(annotations=READ)
async def whose() -> dict[str, str]:
    """Whose records it would look at."""
    return dict(tools.scope())


@tool(annotations=DESTROY)
@declare(approval="rule")
async def pay(
    amount: Annotated[int, Field(ge=1)], note: str = "", idempotency_key: IdempotencyKey | None = None
) -> int:
    """Pays out."""
    del note, idempotency_key
    await store_of().pay(tools.effect(), amount)
    return amount


TOOLS = [say, wait, whose, pay]


class Till:
    """A till's keys, and servers over one store folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.workers, self.approvers = SigningKey.generate(), SigningKey.generate("anna")
        write_jwks(home / "mandates.json", [self.workers.public_jwk()])
        write_jwks(home / "till-approvers.json", [self.approvers.public_jwk()])

    def settings(self, **given: object) -> Settings:
        keys = {"mandate_keys": str(self.home / "mandates.json")}
        return Settings.load({"home": self.home, **keys, **given})

    def server(self, **given: object) -> FastMCP:
        """The server of whoever presents the token `mandate`; without one, the owner's."""
        settings = self.settings(**given)
        return build_server(settings, TillStore(settings), instructions="A till.", tools=TOOLS)

    def mandate(self, *details: str | Detail, **claims: object) -> str:
        """A worker's token: a tool's name grants it without bounds."""
        granted = [{"type": "mcp_tool", "tool": each} if isinstance(each, str) else each for each in details]
        return self.workers.sign(worker_claims(**{"aud": "till", "authorization_details": granted, **claims}))

    def approver(self, **claims: object) -> str:
        said = {"iss": "flotilla-till-approvers", "sub": "anna", "aud": "till", "run": None, **claims}
        return self.approvers.sign(worker_claims(**said))

"""A till whose calls take their time, over stdio or HTTP: `python slow_till.py --home FOLDER [--http HOST:PORT]`."""

import argparse
import asyncio
import time
from typing import Annotated

from fastmcp.tools import tool
from flotilla_kit import approvals, effects, tools
from flotilla_kit.effects import Effect, IdempotencyKey
from flotilla_kit.event_loop import run
from flotilla_kit.http.addresses import parse_address
from flotilla_kit.http.serving import serve_http
from flotilla_kit.server import build_server
from flotilla_kit.settings import ServerSettings
from flotilla_kit.stdio import serve_stdio
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from flotilla_kit.storage.addresses import store_url
from flotilla_kit.telemetry import logs
from flotilla_kit.tools import DESTROY, READ, declare, store_of
from pydantic import Field
from pydantic_settings import SettingsConfigDict
from sqlalchemy import Connection


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="FLOTILLA_TILL_")
    server = "till"


class SlowStore:
    """Effects, and how long their transactions take."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    async def open(self) -> None:
        self.database = await Database.open(store_url(self._settings), [KIT_MIGRATIONS])

    async def close(self) -> None:
        await self.database.close()

    async def ping(self) -> None: ...

    async def pay(self, effect: Effect, amount: int, within_s: float) -> None:
        await self.database.write(self._pay, effect, amount, within_s)

    def _pay(self, connection: Connection, effect: Effect, amount: int, within_s: float) -> None:
        (self._settings.home / "begun").touch()
        if effects.recorded(connection, effect) is None:
            cleared = approvals.require(connection, effect, needed=False, facts={})
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_sleep({within_s})")
            else:
                time.sleep(within_s)
            effects.record(connection, cleared, {"amount": amount})


@tool(annotations=READ)
@declare(timeout_s=60)
async def count(to: Annotated[int, Field(ge=1)], message: str = "counting", every_s: float = 0.05) -> int:
    """Counts, and tells how far it is."""
    for number in range(1, to + 1):
        await tools.progress(number, to, message)
        await asyncio.sleep(every_s)
    return to


@tool(annotations=READ)
async def look(to: Annotated[int, Field(ge=1)] = 1, message: str = "looking", every_s: float = 0.05) -> int:
    """As `count`, and may not take longer than other tools."""
    return await count(to, message, every_s)


@tool(annotations=DESTROY)
@declare(approval="never", timeout_s=60)
async def pay_slowly(
    amount: int, before_s: float = 0, within_s: float = 0, idempotency_key: IdempotencyKey | None = None
) -> int:
    """Pays out, after a while and in a transaction that takes a while."""
    del idempotency_key
    await asyncio.sleep(before_s)
    await store_of().pay(tools.effect(), amount, within_s)
    return amount


TOOLS = [count, look, pay_slowly]


def main() -> None:
    flags = argparse.ArgumentParser()
    flags.add_argument("--http", type=parse_address)
    flags.add_argument("--auth", choices=["none"])
    flags.add_argument("--exit-with-stdin", action="store_true")
    flags.add_argument("--home")
    given = flags.parse_args()
    logs.configure("info")
    settings = Settings.load({"home": given.home})
    store = SlowStore(settings)
    server = build_server(settings, store, instructions="A slow till.", tools=TOOLS)
    if given.http is None:
        run(serve_stdio(server))
        return
    run(serve_http(server, store, settings, *given.http, ask_for_tokens=False, exit_with_stdin=True))


if __name__ == "__main__":
    main()

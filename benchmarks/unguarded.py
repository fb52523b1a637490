"""Billing's tools and store with nothing around them: no guard, no mandate, no audit. Only to compare with."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastmcp import FastMCP
from fastmcp.server.lifespan import lifespan
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from flotilla_billing.tools import TOOLS
from flotilla_kit.audit import Record
from flotilla_kit.guard.call import CURRENT, Call
from flotilla_kit.identity.principal import OWNER

from .bare import answer_schema_lookups, serve

_CALL = Call(OWNER, Record("", "owner", "owner"))


class Everyone(Middleware):
    """Every caller is the owner, which is all that the tools ask for."""

    async def __call__(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        CURRENT.set(_CALL)
        return await call_next(context)


def main() -> None:
    store = SqlBillingStore(Settings.load({"home": Path(sys.argv[1]), "demo_data": True}))

    @lifespan
    async def life(_: FastMCP) -> AsyncIterator[dict[str, Any]]:
        await store.open()
        yield {"store": store}
        await store.close()

    server = FastMCP("unguarded", lifespan=life, strict_input_validation=True, middleware=[Everyone()])
    for tool in TOOLS:
        server.add_tool(tool)
    asyncio.run(answer_schema_lookups(server))
    serve(server)


if __name__ == "__main__":
    main()

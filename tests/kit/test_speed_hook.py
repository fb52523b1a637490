"""Why the kit sets one private attribute of FastMCP, and when it need not any more."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fastmcp import FastMCP
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool
from fastmcp.utilities.tests import asgi_client
from flotilla_billing.server import create_server
from flotilla_billing.settings import Settings


class CountLists(Middleware):
    def __init__(self) -> None:
        self.lists = 0

    async def on_list_tools(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Sequence[Tool]]
    ) -> Sequence[Tool]:
        self.lists += 1
        return await call_next(context)


async def lists_during_a_call(server: FastMCP, *, hooked: bool) -> int:
    counter = CountLists()
    server.add_middleware(counter)
    if not hooked:
        server._mcp_server.get_tool_input_schema = None  # pyright: ignore[reportPrivateUsage]  # what upstream does
    async with asgi_client(server, mode="2026-07-28") as client:  # pyright: ignore[reportUnknownVariableType]  # generic only in name
        await client.list_tools()  # the client's own, to check results against
        before = counter.lists
        await client.call_tool("get_transaction", {"transaction_id": "ch_maya_feb_1"})
        return counter.lists - before


@pytest.mark.parametrize("hooked", [True, False])
async def test_a_call_lists_all_tools_first_unless_hooked(tmp_path: Path, hooked: bool) -> None:
    """When the second case fails, upstream no longer lists: delete `_answer_schema_lookups_from` in the kit."""
    server = create_server(Settings.load({"home": tmp_path, "demo_data": True}))
    assert (await lists_during_a_call(server, hooked=hooked) == 0) == hooked

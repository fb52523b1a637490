"""Ids that nobody knows. (Bad input to every argument is in the suite of test_guarantees.py.)"""

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from fastmcp.exceptions import ToolError

BY_ID = {"get_transaction": "transaction_id", "get_invoice": "invoice_id", "get_refund": "refund_id"}


@pytest.mark.parametrize("tool", BY_ID)
async def test_unknown_ids_say_so(client: Client[FastMCPTransport], tool: str) -> None:
    with pytest.raises(ToolError, match="not_found"):
        await client.call_tool(tool, {BY_ID[tool]: "nobody_knows"})

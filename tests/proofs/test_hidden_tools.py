"""What a mandate names is listed narrowed to its bounds. (That nothing else is there: see test_guarantees.py.)"""

from collections.abc import Generator
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import Tool
from support.forbidden import BILLING, CHARGE, MEMORY
from support.forbidden_http import MODERN
from support.mandated import ALLOWED, FORBIDDEN, OURS, Served, served

CLIENT_MODES = ("legacy", MODERN)
NOWHERE = {"type": "mcp_tool", "tool": "granted_but_not_there"}


@pytest.fixture(scope="module", params=["billing", "memory"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    with served(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


def mandate(server: Served, *left_out: str) -> str:
    """A clerk's, with all that the proofs grant but that."""
    details = [detail for detail in (*MEMORY, NOWHERE) if detail.get("tool") not in left_out]
    if server.name == "memory":
        return server.token("clerk", details)
    return server.token("clerk", [*BILLING, NOWHERE], scope={"customer_id": OURS})


def properties(tool: Tool) -> dict[str, Any]:
    return tool.input_schema["properties"]


@pytest.mark.prove
@pytest.mark.parametrize("mode", CLIENT_MODES)
@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_the_list_has_what_is_granted_narrowed_to_its_bounds(server: Served, mode: str, transport: str) -> None:
    token = mandate(server)
    over = StreamableHttpTransport(server.url, auth=token) if transport == "http" else server.stdio(token, "list.log")
    async with Client(over, mode=mode) as client:
        tools = {tool.name: tool for tool in await client.list_tools()}
        resources = [str(resource.uri) for resource in await client.list_resources()]
        assert await client.list_resource_templates() == [] and await client.list_prompts() == []
    if server.name == "memory":
        assert set(tools) == {"search_knowledge", "get_document"}
        assert resources == [f"knowledge://{ALLOWED}"]
        assert properties(tools["search_knowledge"])["query"]["enum"] == ["refund"]
        assert tools["search_knowledge"].input_schema["required"] == ["query", "limit"]
        assert properties(tools["get_document"])["document_id"]["pattern"] == "^policies/"
        return
    assert set(tools) == {str(detail["tool"]) for detail in BILLING} - {"list_approvals", "decide_approval"}
    assert resources == []
    for name in ("get_customer_billing", "find_transactions", "check_payment_gateway"):
        assert properties(tools[name])["customer_id"]["const"] == OURS
        assert "customer_id" in tools[name].input_schema["required"]
    assert properties(tools["find_transactions"])["limit"]["maximum"] == 100
    assert {"maximum": 5} in properties(tools["find_transactions"])["limit"]["allOf"]
    refund = properties(tools["issue_refund"])
    assert (refund["transaction_id"]["const"], refund["currency"]["const"]) == (CHARGE, "USD")
    assert FORBIDDEN not in str(tools) and "pattern" not in refund["transaction_id"]

"""A test of an application of the Claude Agent SDK: no key, no network, the same answers every time."""

import asyncio
import json
from pathlib import Path
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, create_sdk_mcp_server, query, tool
from flotilla_rehearsal.pytest_plugin import PlayScript

SCRIPT = """
name: order-status
agents:
  assistant:
    - turns:
        - call: mcp__shop__find_order
          arguments: {order_id: "{{ task | regex('ord_[0-9]+') }}"}
        - say: "It left us on {{ results.find_order.sent_on }}."
"""


@tool("find_order", "Finds an order.", {"order_id": str})
async def find_order(arguments: dict[str, Any]) -> dict[str, Any]:
    order = {"order_id": arguments["order_id"], "sent_on": "2026-11-20"}
    return {"content": [{"type": "text", "text": json.dumps(order)}]}


async def order_status(question: str, env: dict[str, str]) -> str:
    """The application: one session with one tool."""
    options = ClaudeAgentOptions(
        env=env,
        tools=[],
        setting_sources=[],
        permission_mode="dontAsk",
        allowed_tools=["mcp__shop__find_order"],
        mcp_servers={"shop": create_sdk_mcp_server("shop", tools=[find_order])},
    )
    answer = ""
    async for message in query(prompt=question, options=options):
        if isinstance(message, ResultMessage):
            answer = message.result or ""
    return answer


def test_a_customer_is_told_when_the_order_left(rehearsal: PlayScript, tmp_path: Path) -> None:
    model = rehearsal(SCRIPT)
    answer = asyncio.run(order_status("Where is ord_17?", model.environment(tmp_path)))
    assert answer == "It left us on 2026-11-20."
    assert [request.tools for request in model.requests] == [("mcp__shop__find_order",)] * 2

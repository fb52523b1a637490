"""What a model sees of a server, and what it costs: Claude gets name, description and input schema of each tool."""

import json

from fastmcp import FastMCP
from fastmcp.tools import Tool


def model_bytes(tool: Tool) -> int:
    """Bytes of what the model is shown of a tool, as compact JSON."""
    shown = {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
    return len(json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode())


async def tool_table(server: FastMCP) -> str:
    """A line for each tool: its bytes, whether it reads or writes, its name and first sentence; then the total."""
    tools = sorted(await server.list_tools(), key=lambda tool: tool.name)
    lines = [
        f"{model_bytes(tool):6}  {_kind(tool):6}  {tool.name:32}  {(tool.description or '').split('. ')[0].rstrip('.')}"
        for tool in tools
    ]
    total = sum(model_bytes(tool) for tool in tools)
    return "\n".join([" bytes  kind    tool", *lines, f"{total:6}  in {len(tools)} tools"])


def _kind(tool: Tool) -> str:
    return "read" if tool.annotations and tool.annotations.read_only_hint else "write"

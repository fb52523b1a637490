"""One real Agent SDK session, with its real CLI, against a rehearsal."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    McpSdkServerConfig,
    ResultMessage,
)
from flotilla_rehearsal.server import Rehearsal


@dataclass(frozen=True)
class Played:
    result: ResultMessage
    models: set[str]


async def play(
    rehearsal: Rehearsal,
    folder: Path,
    server: McpSdkServerConfig,
    *,
    agent: str = "worker",
    task: str = "Look at cust_12345.",
    resume: str | None = None,
    schema: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
) -> Played:
    """Run one isolated session in `folder` to its end. Its tools are those of `server`, named `desk`."""
    output: dict[str, Any] | None = {"type": "json_schema", "schema": dict(schema)} if schema else None
    options = ClaudeAgentOptions(
        tools=[],
        permission_mode="dontAsk",
        strict_mcp_config=True,
        setting_sources=[],
        skills=[],
        allowed_tools=["mcp__desk"],
        mcp_servers={"desk": server},
        system_prompt="You are a worker.",
        model="haiku",
        max_turns=12,
        output_format=output,
        resume=resume,
        cwd=folder,
        env={
            "CLAUDE_CONFIG_DIR": str(folder),
            "HOME": str(folder),
            "ANTHROPIC_BASE_URL": rehearsal.url(agent),
            "ANTHROPIC_API_KEY": "rehearsal",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "BUN_JSC_useDFGJIT": "0",
            **(env or {}),
        },
    )
    result: ResultMessage | None = None
    models: set[str] = set()
    async with ClaudeSDKClient(options) as client:
        await client.query(task)
        async for message in client.receive_response():
            if isinstance(message, AssistantMessage) and message.error is None:
                models.add(message.model)
            elif isinstance(message, ResultMessage):
                result = message
    assert result
    return Played(result, models)

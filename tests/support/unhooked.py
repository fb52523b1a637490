"""A scripted model behind the real SDK and CLI, in a session without hooks that allows every tool."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ResultMessage

from .sessions import scripted

BUILT_IN = ("Bash", "Write", "Read", "Edit", "Agent", "Task", "ToolSearch", "WebFetch", "Skill", "Workflow")


async def let_loose(
    folder: Path, urls: Mapping[str, str], tokens: Mapping[str, str], turns: Sequence[Mapping[str, Any]]
) -> str:
    """Play these turns to their end; returns all that the model was shown.

    Args:
        folder: the session's own, new.
        urls: of the servers, by name.
        tokens: what it presents to each of them.
    """
    async with scripted(*turns) as rehearsal:
        shown: list[str] = []
        async with ClaudeSDKClient(_options(folder, urls, tokens, rehearsal.url("worker"), len(turns) + 2)) as client:
            await client.query("Help the customer.")
            async for message in client.receive_response():
                shown.append(str(message))
                if isinstance(message, ResultMessage):
                    assert not message.is_error, message
        return "\n".join(shown)


def _options(
    folder: Path, urls: Mapping[str, str], tokens: Mapping[str, str], model: str, turns: int
) -> ClaudeAgentOptions:
    folder.mkdir(parents=True)
    return ClaudeAgentOptions(
        tools=[],
        permission_mode="dontAsk",
        allowed_tools=[*(f"mcp__{name}" for name in urls), *BUILT_IN],
        strict_mcp_config=True,
        setting_sources=[],
        skills=[],
        mcp_servers={
            name: {
                "type": "http",
                "url": urls[name],
                "headers": {"Authorization": f"Bearer ${{TOKEN_{name.upper()}}}"},
            }
            for name in tokens
        },
        system_prompt="You are a worker.",
        model="haiku",
        max_turns=turns,
        cwd=folder,
        env={
            "CLAUDE_CONFIG_DIR": str(folder),
            "HOME": str(folder),
            "ANTHROPIC_BASE_URL": model,
            "ANTHROPIC_API_KEY": "rehearsal",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "BUN_JSC_useDFGJIT": "0",
            "ENABLE_TOOL_SEARCH": "false",
            **{f"TOKEN_{name.upper()}": token for name, token in tokens.items()},
        },
    )

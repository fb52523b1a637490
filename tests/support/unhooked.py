"""A scripted model behind the real SDK and CLI, in a session without hooks that allows all; what comes of it."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, ResultMessage
from flotilla_orchestrator.fleet.fleet import Fleet

from .answers import answer_of
from .sessions import scripted

Call: TypeAlias = tuple[str, Mapping[str, Any]]
"""SERVER__TOOL, and its arguments."""

BUILT_IN = ("Bash", "Write", "Read", "Edit", "Agent", "Task", "ToolSearch", "WebFetch", "Skill", "Workflow")


def obeying(read: str, arguments: Mapping[str, Any], seen: str, calls: Sequence[Call]) -> list[dict[str, Any]]:
    """The turns of a model that reads, and if what is `seen` there does what it is told.

    Args:
        read: the tool, and `arguments` its arguments.
        seen: an expression over `results.read`.
    """
    obeyed = [
        {"call": f"mcp__{tool}", "id": f"c{number}", "arguments": given} for number, (tool, given) in enumerate(calls)
    ]
    return [
        {"call": f"mcp__{read}", "id": "read", "arguments": dict(arguments)},
        {"if": f"{{{{ {seen} }}}}", "calls": obeyed},
        {"say": "Done."},
    ]


def tokens_of(fleet: Fleet, variables: Mapping[str, str]) -> dict[str, str]:
    """A worker's mandates by server, from the environment variables that carry them."""
    return {
        name: variables[server.mandate_variable]
        for name, server in fleet.servers.items()
        if server.mandate_variable in variables
    }


async def sent_past(fleet: Fleet, tokens: Mapping[str, str], calls: Sequence[Call]) -> list[str]:
    """The codes of what the servers answer to calls that no CLI stands before, with the same tokens."""
    codes: list[str] = []
    for tool, arguments in calls:
        server, _, name = tool.partition("__")
        async with fleet.servers[server].client(tokens[server]) as client:
            codes.append(answer_of(await client.call_tool(name, arguments))["code"])  # pyright: ignore[reportArgumentType]  # mcp's own result has the same fields
    return codes


def stored_rows(home: Path, servers: Sequence[str], *, but: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Every row of the servers' stores but the audit's, and of the tables `but`."""
    rows: dict[str, list[Any]] = {}
    for name in servers:
        with closing(sqlite3.connect(home / f"{name}.db")) as store:
            tables = store.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
            for (table,) in tables:
                if not table.startswith("audit") and table not in but:
                    rows[f"{name}.{table}"] = sorted(store.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
    return rows


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

"""What one session is given, what it tells while it runs, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from claude_agent_sdk import SdkMcpTool
from claude_agent_sdk.types import McpHttpServerConfig
from pydantic import JsonValue

from .errors import Failure

CallStatus = Literal["ok", "failed", "denied", "interrupted"]
"""How a call ended: `failed` is the tool's own word, a `denied` one never ran."""


class Observer(Protocol):
    """Hears of each tool call as it happens."""

    async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None: ...

    async def call_ended(self, call_id: str, status: CallStatus, error: str | None = None) -> None: ...


@dataclass(frozen=True)
class Session:
    """What one session is given. Nothing else of this process or machine is visible to its agent."""

    session_id: str
    agent: str
    system_prompt: str
    prompt: str
    model: str
    fallback_model: str | None
    grants: Mapping[str, Mapping[str, Any]]
    """Full tool name to the JSON Schema its arguments must satisfy here (`{}`: only the server's own)."""
    hidden: Sequence[str]
    """Other tools that its servers list."""
    servers: Mapping[str, McpHttpServerConfig]
    gate: Sequence[SdkMcpTool[Any]]
    output_schema: Mapping[str, Any] | None
    max_turns: int
    budget_usd: float
    wall_clock_s: float
    model_call_s: float
    retries: int
    environment: Mapping[str, str]
    folder: Path
    """Private to the run: configuration, transcripts and logs of the CLI."""


@dataclass
class SessionResult:
    """How a session ended. `failure` is None only if everything that was asked for is there."""

    text: str = ""
    structured: dict[str, JsonValue] | None = None
    turns: int = 0
    cost_usd: float | None = None
    """None when the session ended before the CLI could say."""
    input_tokens: int = 0
    output_tokens: int = 0
    duration_s: float = 0
    model: str = ""
    failure: Failure | None = None

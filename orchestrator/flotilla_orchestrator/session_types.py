"""What one session is given, what it tells while it runs, and how it ended."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from claude_agent_sdk import Message, SdkMcpTool
from claude_agent_sdk.types import McpHttpServerConfig
from pydantic import JsonValue

from .approvals import Approval, Approvals
from .deadline import Deadline
from .errors import Failure

SYNTHETIC = "<synthetic>"
"""The "model" of what the CLI says itself, such as an API error."""

CallStatus = Literal["ok", "failed", "denied", "interrupted"]
"""How a call ended: `failed` is the tool's own word, a `denied` one never ran."""


class Observer(Protocol):
    """Hears of each tool call as it happens."""

    async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None: ...

    async def call_waits(self, call_id: str, approval: Approval) -> None:
        """A person has to approve it first; it ends, or runs and ends, when the session goes on."""
        ...

    async def call_ended(self, call_id: str, status: CallStatus, error: str | None = None) -> None: ...


@dataclass(frozen=True)
class Waiting:
    """A call in front of which a session has ended, until a person decides about its approval."""

    server: str
    tool: str
    """Its full name."""
    tool_use_id: str
    approval: Approval


@dataclass(frozen=True)
class Session:
    """What one session is given. Nothing else of this process or machine is visible to its agent."""

    session_id: str
    agent: str
    system_prompt: str
    prompt: str
    model: str
    fallback_model: str | None
    grants: Collection[str]
    """Full names of its tools. (What their arguments may be, each server checks by the mandate.)"""
    hidden: Sequence[str]
    """Other tools that its servers list."""
    asks: Mapping[str, Approvals]
    """Full name of each tool that may need an approval, to where to ask for it."""
    servers: Mapping[str, McpHttpServerConfig]
    gate: Sequence[SdkMcpTool[Any]]
    output_schema: Mapping[str, Any] | None
    max_turns: int
    budget_usd: float
    deadline: Deadline
    model_call_s: float
    retries: int
    environment: Mapping[str, str]
    folder: Path
    """Private to the run: configuration, transcripts and logs of the CLI."""
    decided: Waiting | None = None
    """The session goes on with this call, decided meanwhile; `prompt` was given when it began."""
    hear: "Callable[[Session, Message], None] | None" = None
    """Told each message of the session, before anything is made of it."""


@dataclass
class SessionResult:
    """How a session ended. `failure` is None only if everything that was asked for is there, or it waits."""

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
    waiting: Waiting | None = None

    def then(self, later: "SessionResult") -> "SessionResult":
        """The result of the session that went on as `later`: what it used is added up.

        Only the cost is a sum already: the CLI keeps it in the transcript and goes on counting from there.
        """
        return replace(
            later,
            turns=self.turns + later.turns,
            input_tokens=self.input_tokens + later.input_tokens,
            output_tokens=self.output_tokens + later.output_tokens,
            duration_s=self.duration_s + later.duration_s,
            model=later.model or self.model,
        )

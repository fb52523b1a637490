"""The data of one session: its options, its pending calls, its result, and the protocols of those that observe it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from claude_agent_sdk import Message, SdkMcpTool, SessionStore
from claude_agent_sdk.types import McpHttpServerConfig
from pydantic import JsonValue

from ..config.prices import Prices, shipped_prices
from ..errors import Failure
from ..fleet.approvals import Approval, Approvals
from ..mandates.guardrails import Guardrails, Trigger
from .deadline import Deadline
from .delegation_tools import DelegationTools, Task

SYNTHETIC = "<synthetic>"
"""The "model" of the CLI's own messages, such as an API error."""

CallStatus = Literal["ok", "failed", "denied", "interrupted"]
"""How a call ended: `failed`: the tool returned an error; `denied`: it never ran."""


class CallObserver(Protocol):
    """Called at the start and the end of each tool call, and when it has to wait."""

    async def call_started(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None: ...

    async def call_guarded(self, call_id: str, triggered: Sequence[Trigger]) -> None:
        """Guardrails found in it what they look for."""
        ...

    async def call_waiting(self, call_id: str, approval: Approval) -> None:
        """A person has to approve it first."""
        ...

    async def call_ended(self, call_id: str, status: CallStatus, error: str | None = None) -> None: ...


@dataclass(frozen=True)
class PendingApproval:
    """A call in front of which a session has ended, until a person decides about its approval."""

    server: str
    tool: str
    """Its full name."""
    tool_use_id: str
    approval: Approval


@dataclass(frozen=True)
class PendingDelegation:
    """A call of `delegate` in front of which a session has ended, until its workers have reported; or for good, in
    front of one of `transfer_case`."""

    tool_use_id: str
    tasks: list[Task]
    reports: list[dict[str, JsonValue]] = field(default_factory=list[dict[str, JsonValue]])
    transfer: bool = False
    """The text of the only task is the note."""


@dataclass(frozen=True)
class PendingPause:
    """A call in front of which a session has ended because its run was paused, or its mandates are about to expire."""

    tool_use_id: str


PendingCall = PendingApproval | PendingDelegation | PendingPause
"""A call in front of which a session has ended; the session is resumed with it later."""


class Inbox(Protocol):
    """Messages and pauses from people, for a session that is at work."""

    @property
    def paused(self) -> bool: ...

    def take_messages(self) -> str:
        """The messages to this agent since the last call of this; empty if there are none."""
        ...


@dataclass(frozen=True)
class EmptyInbox:
    """An inbox without messages."""

    paused: bool = False

    def take_messages(self) -> str:
        return ""


async def _always_recorded(_call_id: str) -> bool:
    return True


async def _no_advice(_tool: str, _arguments: Mapping[str, Any], _call_id: str, _error: str) -> str | None:
    return None


async def _no_wait(_call: PendingCall) -> PendingCall | None:
    return None


@dataclass(frozen=True)
class Session:
    """The options of one session. Nothing else of this process or machine is visible to its agent."""

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
    approvals: Mapping[str, Approvals]
    """Full name of each tool that may need an approval, to where to ask for it."""
    servers: Mapping[str, McpHttpServerConfig]
    gate_tools: Sequence[SdkMcpTool[Any]]
    """Tools that run in this process."""
    delegation: DelegationTools | None
    output_schema: Mapping[str, Any] | None
    max_turns: int
    budget_usd: float
    """By `prices`."""
    deadline: Deadline
    model_call_s: float
    retries: int
    environment: Mapping[str, str]
    folder: Path
    """Private to the run: configuration and logs of the CLI; its path is a part of what `store` knows sessions by."""
    store: SessionStore
    """Of the transcript."""
    resumed_call: PendingCall | None = None
    """The session resumes with this call, decided or reported meanwhile; `prompt` was given when it began."""
    resumes_with: Literal["", "with_call", "with_prompt"] = ""
    """An earlier process has left it in front of a call, or elsewhere."""
    resume_prompt: str = "You were interrupted. Go on where you left off."
    """Its prompt if it resumes with one."""
    changing_tools: Collection[str] = ()
    """Full names of the tools that may change something: a call of one is made once it is `recorded`."""
    wait_until_recorded: Callable[[str], Awaitable[bool]] = _always_recorded
    """Whether a call is in the transcript for good."""
    advice: Callable[[str, Mapping[str, Any], str, str], Awaitable[str | None]] = _no_advice
    """What to do about a call that failed: its tool's full name, its arguments and id, and the error."""
    guardrails: Guardrails = field(default_factory=Guardrails)
    inbox: Inbox = EmptyInbox()
    wait: Callable[[PendingCall], Awaitable[PendingCall | None]] = _no_wait
    """Waits for what a call needs while its session lives: the call decided or reported, or None, and the session ends
    in front of it."""
    wait_s: float = 0
    """Seconds that `wait` takes at most, of all calls together."""
    restart_s: float = 0
    """How long it waits for a server that does not answer, before it begins and after a call."""
    renew_at: float = float("inf")
    """By the monotonic clock: from then on it ends in front of its next call, and is resumed with fresh mandates."""
    prices: Prices = field(default_factory=shipped_prices)
    on_message: "Callable[[Session, Message], None] | None" = None
    """Called with each message of the session, before it is handled."""
    on_stream: Callable[[Mapping[str, Any]], Awaitable[None]] | None = None
    """Called with the events of the model's answers, while they are on their way."""

    @property
    def resumes_a_call(self) -> bool:
        """The CLI does so by itself, and wants no prompt for it."""
        return self.resumed_call is not None or self.resumes_with == "with_call"


@dataclass
class SessionResult:
    """How a session ended. `failure` is None only if everything that was asked for is there, or it waits."""

    text: str = ""
    structured: dict[str, JsonValue] | None = None
    turns: int = 0
    cost_usd: float | None = None
    """By the price list; None when the session ended before the CLI could say what it used."""
    input_tokens: int = 0
    output_tokens: int = 0
    duration_s: float = 0
    model: str = ""
    failure: Failure | None = None
    pending_approval: PendingApproval | None = None
    pending_delegation: PendingDelegation | None = None
    pending_pause: PendingPause | None = None
    side_effects: list[dict[str, JsonValue]] = field(default_factory=list[dict[str, JsonValue]])
    """Of a task that failed: the calls by which something was, or may have been, changed."""
    guardrails: list[Trigger] = field(default_factory=list[Trigger])
    """What guardrails found in what came out."""

    @property
    def pending_call(self) -> PendingCall | None:
        """The call in front of which it has ended."""
        return self.pending_approval or self.pending_delegation or self.pending_pause

    def merge(self, later: "SessionResult") -> "SessionResult":
        """The result of the session with its next part: what was used is added up."""
        known = [cost for cost in (self.cost_usd, later.cost_usd) if cost is not None]
        return replace(
            later,
            text=later.text or (self.text if later.failure else ""),  # as far as it got
            turns=self.turns + later.turns,
            cost_usd=sum(known) if known else None,
            input_tokens=self.input_tokens + later.input_tokens,
            output_tokens=self.output_tokens + later.output_tokens,
            duration_s=self.duration_s + later.duration_s,
            model=later.model or self.model,
            guardrails=self.guardrails + [trigger for trigger in later.guardrails if trigger not in self.guardrails],
        )

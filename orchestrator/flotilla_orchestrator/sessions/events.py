"""Listens to one session: its hooks decide what may run, its messages become its result."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeSDKClient,
    ClaudeSDKError,
    HookContext,
    HookInput,
    HookJSONOutput,
    Message,
    ResultMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)
from flotilla_kit.effects import faults

from ..config.prices import Tokens
from ..config.schemas import misfit
from ..errors import Failure
from .call_gate import Hold
from .outcome import LOOK, failure_of
from .transcript import STRUCTURED_OUTPUT
from .types import SYNTHETIC, CallStatus, Delegated, Observer, Paused, Session, SessionResult, Waiting
from .usage import used_in

_INTERRUPT_S = 3  # how long an interrupted session may take to say what it has cost


@dataclass
class Talk:
    """Hooks and messages of one session, gathered into its result."""

    session: Session
    observer: Observer
    result: SessionResult = field(default_factory=SessionResult)
    _finished: bool = False
    _asked: dict[str, ToolUseBlock] = field(default_factory=dict[str, ToolUseBlock])
    _announced: set[str] = field(default_factory=set[str])
    _open: set[str] = field(default_factory=set[str])
    _answers: set[str | None] = field(default_factory=set[str | None])
    _longest_prompt: int = 0

    def __post_init__(self) -> None:
        self._hold = Hold(self.session)
        if self.session.decided:  # its call was announced before it had to wait
            self._announced.add(self.session.decided.tool_use_id)
            self._open.add(self.session.decided.tool_use_id)

    def log(self, line: str) -> None:
        with (self.session.folder / "claude.log").open("a", encoding="utf-8") as log:
            log.write(f"{self.session.agent}: {line}\n")

    def fail(self, failure: Failure) -> None:
        """Keep the first failure: what follows from it says less."""
        self.result.failure = self.result.failure or failure

    async def before_call(self, asked: HookInput, _id: str | None, _context: HookContext) -> HookJSONOutput:
        """Let a call run only if its tool is granted and no person has to approve it first."""
        assert asked["hook_event_name"] == "PreToolUse"
        tool, arguments, call_id = asked["tool_name"], asked["tool_input"], asked["tool_use_id"]
        if tool == STRUCTURED_OUTPUT and self.session.output_schema:
            return {}
        await self._start(call_id, tool, arguments)
        faults.point("call_asked")
        verdict = self._refusal(tool) or await self._hold.verdict(tool, arguments, call_id)
        if verdict is None and tool in self.session.changes and not await self.session.recorded(call_id):
            verdict = Failure("not_recorded", "The call could not be recorded; it was not made.", retryable=True)
        match verdict:
            case None:
                faults.point("call_allowed")
                return {}
            case Waiting() | Delegated() | Paused():
                if isinstance(verdict, Waiting):
                    await self.observer.call_waits(call_id, verdict.approval)
                return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "defer"}}
            case Failure():
                await self._end(call_id, "denied", verdict.code)
                return {
                    "hookSpecificOutput": {
                        "hookEventName": "PreToolUse",
                        "permissionDecision": "deny",
                        "permissionDecisionReason": json.dumps(verdict.as_dict()),
                    }
                }

    async def after_call(self, done: HookInput, _id: str | None, _context: HookContext) -> HookJSONOutput:
        assert done["hook_event_name"] == "PostToolUse"
        faults.point("call_done")
        await self._end(done["tool_use_id"], "ok")
        # A session ends with its structured output: nobody would read on.
        if done["tool_name"] == STRUCTURED_OUTPUT or not (said := self.session.steer.told()):
            return {}
        return {"hookSpecificOutput": {"hookEventName": "PostToolUse", "additionalContext": said}}

    async def after_failed_call(self, done: HookInput, _id: str | None, _context: HookContext) -> HookJSONOutput:
        assert done["hook_event_name"] == "PostToolUseFailure"
        faults.point("call_done")
        await self._end(done["tool_use_id"], "failed", done["error"])
        return {}

    async def listen(self, client: ClaudeSDKClient) -> None:
        """Take messages until the session's result."""
        async for message in client.receive_response():
            await self._take(message)
        if not self._finished:
            self.fail(Failure("cli_failed", f"The Claude CLI of {self.session.agent} ended without a result.", LOOK))

    async def interrupt(self, client: ClaudeSDKClient) -> None:
        """Stop what the session is doing, and hear what it has cost so far."""
        with contextlib.suppress(TimeoutError, ClaudeSDKError):
            async with asyncio.timeout(_INTERRUPT_S):
                await client.interrupt()
                async for message in client.receive_response():
                    await self._take(message)

    async def close(self) -> None:
        """End the calls that the session did not live to see the end of; one that waits goes on later."""
        if held := self.result.held:
            self._open.discard(held.tool_use_id)
        for call_id in sorted(self._open):
            await self._end(call_id, "interrupted")

    def _refusal(self, tool: str) -> Failure | None:
        if tool in self.session.grants:
            return None
        granted = ", ".join(sorted(self.session.grants)) or "no tool"
        return Failure("not_granted", f"{tool} is not granted to {self.session.agent}.", f"Granted: {granted}.")

    async def _take(self, message: Message) -> None:
        if self.session.hear:
            self.session.hear(self.session, message)
        match message:
            case AssistantMessage():
                if message.model != SYNTHETIC:
                    self._answers.add(message.message_id)
                    said = [block.text for block in message.content if isinstance(block, TextBlock)]
                    self.result.text = "".join(said) or self.result.text  # as far as it gets
                    self.result.turns = len(self._answers)
                    self.result.model = message.model
                    prompt = Tokens.of_answer(message.usage or {}).prompt
                    self._longest_prompt = max(self._longest_prompt, prompt)
                self._asked.update({block.id: block for block in message.content if isinstance(block, ToolUseBlock)})
            case UserMessage(content=list() as blocks):
                for block in blocks:
                    if isinstance(block, ToolResultBlock):
                        await self._unannounced(block)
            case ResultMessage():
                self._finish(message)
            case _:
                pass

    async def _unannounced(self, answered: ToolResultBlock) -> None:
        """A call that the CLI refused before any hook heard of it, because no such tool is on offer."""
        asked = self._asked.get(answered.tool_use_id)
        if asked and asked.name != STRUCTURED_OUTPUT and asked.id not in self._announced:
            await self._start(asked.id, asked.name, asked.input)
            await self._end(asked.id, "denied", "unknown_tool")

    async def _start(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
        if call_id in self._announced:
            return
        self._announced.add(call_id)
        await self.observer.call_started(call_id, tool, arguments)
        self._open.add(call_id)

    async def _end(self, call_id: str, status: CallStatus, error: str | None = None) -> None:
        if call_id in self._open:
            self._open.remove(call_id)
            await self.observer.call_ended(call_id, status, error)

    def _finish(self, message: ResultMessage) -> None:
        self._finished = True
        used = used_in(message, self._longest_prompt, self.session.prices)
        self.result.cost_usd, self.result.input_tokens, self.result.output_tokens = used
        if not message.is_error:
            self.result.text = message.result or ""
        deferred, held, decided = message.deferred_tool_use, self._hold.held, self.session.decided
        if decided and decided.tool_use_id in self._open and not (held and held.tool_use_id == decided.tool_use_id):
            lost = f"The call that {self.session.agent} was to go on with was neither made nor refused."
            self.fail(Failure("approval_lost", lost, LOOK))
        if deferred and held and deferred.id == held.tool_use_id:
            if self.result.failure is None:
                self.result.waiting = held if isinstance(held, Waiting) else None
                self.result.delegated = held if isinstance(held, Delegated) else None
                self.result.paused = held if isinstance(held, Paused) else None
        elif failure := failure_of(self.session, message):
            self.fail(failure)
        elif self.session.output_schema is not None:
            self._take_structured(message.structured_output, self.session.output_schema)

    def _take_structured(self, output: Any, schema: Any) -> None:
        if output is None:
            self.fail(
                Failure("no_structured_output", f"{self.session.agent} ended without the structured result asked for.")
            )
            return
        if problem := misfit(output, schema):
            self.fail(Failure("invalid_output", f"The result of {self.session.agent}: {problem}"))
            return
        self.result.structured = output

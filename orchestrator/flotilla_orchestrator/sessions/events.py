"""Handles the events of one session: its hooks decide what may run, its messages become its result."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field, replace
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
    StreamEvent,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)
from flotilla_kit.effects import faults

from ..config.guardrails import Side
from ..config.prices import Tokens
from ..config.schemas import schema_problem
from ..errors import Failure
from ..mandates.guardrails import Checked
from .artifact_tools import WRITE
from .call_gate import CallGate
from .deadline import RunningTime
from .delegation_tools import DELEGATE, TRANSFER
from .outcome import SEE_LOG, failure_of
from .transcript import STRUCTURED_OUTPUT
from .types import (
    SYNTHETIC,
    CallObserver,
    CallStatus,
    PendingApproval,
    PendingCall,
    PendingDelegation,
    PendingPause,
    Session,
    SessionResult,
)
from .usage import used_in

# What a call hands on is an input of others, or an output that others read.
_PASSED_ON: dict[str, Side] = {DELEGATE: "input", TRANSFER: "input", WRITE: "output"}
_INTERRUPT_S = 3  # how long an interrupted session may take to say what it has cost


@dataclass
class SessionEvents:
    """Hooks and messages of one session, gathered into its result."""

    session: Session
    observer: CallObserver
    result: SessionResult = field(default_factory=SessionResult)
    _finished: bool = False
    _requested: dict[str, ToolUseBlock] = field(default_factory=dict[str, ToolUseBlock])
    _announced: set[str] = field(default_factory=set[str])
    _open: set[str] = field(default_factory=set[str])
    _answer_ids: set[str | None] = field(default_factory=set[str | None])
    _longest_prompt: int = 0
    running_time: RunningTime | None = None

    def __post_init__(self) -> None:
        self._gate = CallGate(self.session)
        if self.session.resumed_call:  # its call was announced before it had to wait
            self._announced.add(self.session.resumed_call.tool_use_id)
            self._open.add(self.session.resumed_call.tool_use_id)

    def log(self, line: str) -> None:
        with (self.session.folder / "claude.log").open("a", encoding="utf-8") as log:
            log.write(f"{self.session.agent}: {line}\n")

    def fail(self, failure: Failure) -> None:
        """Keep the first failure: what follows from it says less."""
        self.result.failure = self.result.failure or failure

    async def before_call(self, requested: HookInput, _id: str | None, _context: HookContext) -> HookJSONOutput:
        """Let a call run only if its tool is granted and no person has to approve it first."""
        assert requested["hook_event_name"] == "PreToolUse"
        tool, arguments, call_id = requested["tool_name"], requested["tool_input"], requested["tool_use_id"]
        if tool == STRUCTURED_OUTPUT and self.session.output_schema:
            return {}
        checked = self._checked(tool, arguments)
        await self._call_started(call_id, tool, checked)
        faults.point("call_asked")
        verdict = checked.refusal or self._refusal(tool) or await self._gate.check(tool, checked.value, call_id)
        if isinstance(verdict, PendingApproval):
            await self.observer.call_waiting(call_id, verdict.approval)
        if verdict is not None and not isinstance(verdict, Failure):
            ready = await self._waited_for(verdict)
            if ready is None:
                return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "defer"}}
            verdict = self._gate.resume(ready)
        if verdict is None and tool in self.session.changing_tools and not await self._recorded(call_id):
            verdict = Failure("not_recorded", "The call could not be recorded; it was not made.", retryable=True)
        if verdict is None:
            faults.point("call_allowed")
            return {} if checked.value == arguments else _redacted(checked.value)
        await self._call_ended(call_id, "denied", verdict.code)
        return {
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny",
                "permissionDecisionReason": json.dumps(verdict.as_dict()),
            }
        }

    async def _waited_for(self, call: PendingCall) -> PendingCall | None:
        """The call with what it needs, if that comes while the session may wait for it."""
        assert self.running_time, "no call is made before the session runs"
        if self.result.turns >= self.session.max_turns or not await self._recorded(call.tool_use_id):
            return None  # in vain, or a crash would lose it
        with self.running_time.suspended():
            return await self.session.wait(call)

    async def _recorded(self, call_id: str) -> bool:
        return await self.session.wait_until_recorded(call_id)

    async def after_call(self, done: HookInput, _id: str | None, _context: HookContext) -> HookJSONOutput:
        assert done["hook_event_name"] == "PostToolUse"
        faults.point("call_done")
        await self._call_ended(done["tool_use_id"], "ok")
        # A session ends with its structured output: no model call would follow.
        if done["tool_name"] == STRUCTURED_OUTPUT or not (messages := self.session.inbox.take_messages()):
            return {}
        return {"hookSpecificOutput": {"hookEventName": "PostToolUse", "additionalContext": messages}}

    async def after_failed_call(self, done: HookInput, _id: str | None, _context: HookContext) -> HookJSONOutput:
        assert done["hook_event_name"] == "PostToolUseFailure"
        faults.point("call_done")
        tool, call_id, error = done["tool_name"], done["tool_use_id"], done["error"]
        await self._call_ended(call_id, "failed", error)
        if (advice := await self.session.advice(tool, done["tool_input"], call_id, error)) is None:
            return {}
        return {"hookSpecificOutput": {"hookEventName": "PostToolUseFailure", "additionalContext": advice}}

    async def listen(self, client: ClaudeSDKClient) -> None:
        """Take messages until the session's result."""
        async for message in client.receive_response():
            await self._handle(message)
        if not self._finished:
            self.fail(Failure("cli_failed", f"The Claude CLI of {self.session.agent} ended without a result.", SEE_LOG))

    async def interrupt(self, client: ClaudeSDKClient) -> None:
        """Stop what the session is doing, and read what it has cost so far."""
        with contextlib.suppress(TimeoutError, ClaudeSDKError):
            async with asyncio.timeout(_INTERRUPT_S):
                await client.interrupt()
                async for message in client.receive_response():
                    await self._handle(message)

    async def close(self) -> None:
        """End the calls that have no result, but one that waits: it is resumed later."""
        if pending := self.result.pending_call:
            self._open.discard(pending.tool_use_id)
        for call_id in sorted(self._open):
            await self._call_ended(call_id, "interrupted")

    def _refusal(self, tool: str) -> Failure | None:
        if tool in self.session.grants:
            return None
        granted = ", ".join(sorted(self.session.grants)) or "no tool"
        return Failure("not_granted", f"{tool} is not granted to {self.session.agent}.", f"Granted: {granted}.")

    async def _handle(self, message: Message) -> None:
        if isinstance(message, StreamEvent):
            if self.session.on_stream:
                await self.session.on_stream(message.event)
            return
        if self.session.on_message:
            self.session.on_message(self.session, message)
        match message:
            case AssistantMessage():
                if message.model != SYNTHETIC:
                    self._answer_ids.add(message.message_id)
                    messages = [block.text for block in message.content if isinstance(block, TextBlock)]
                    self.result.text = "".join(messages) or self.result.text  # as far as it gets
                    self.result.turns = len(self._answer_ids)
                    self.result.model = message.model
                    prompt = Tokens.from_usage(message.usage or {}).prompt
                    self._longest_prompt = max(self._longest_prompt, prompt)
                self._requested.update(
                    {block.id: block for block in message.content if isinstance(block, ToolUseBlock)}
                )
            case UserMessage(content=list() as blocks):
                for block in blocks:
                    if isinstance(block, ToolResultBlock):
                        await self._record_refused(block)
            case ResultMessage():
                self._finish(message)
            case _:
                pass

    async def _record_refused(self, result_block: ToolResultBlock) -> None:
        """Record a call that the CLI refused before any hook, because the session has no such tool."""
        requested = self._requested.get(result_block.tool_use_id)
        if requested and requested.name != STRUCTURED_OUTPUT and requested.id not in self._announced:
            checked = self._checked(requested.name, requested.input)
            await self._call_started(requested.id, requested.name, checked)
            await self._call_ended(requested.id, "denied", checked.refusal.code if checked.refusal else "unknown_tool")

    def _checked(self, tool: str, arguments: dict[str, Any]) -> Checked:
        checked = self.session.guardrails.check_call(tool, arguments, _PASSED_ON.get(tool))
        if tool in self.session.changing_tools:
            return checked
        # An approval is of an effect: nobody is asked about a tool that has none.
        return replace(checked, triggered=[one for one in checked.triggered if one["effect"] != "ask"])

    async def _call_started(self, call_id: str, tool: str, checked: Checked) -> None:
        if call_id in self._announced:
            return
        self._announced.add(call_id)
        await self.observer.call_started(call_id, tool, checked.value)
        if checked.triggered:
            await self.observer.call_guarded(call_id, checked.triggered)
        self._open.add(call_id)

    async def _call_ended(self, call_id: str, status: CallStatus, error: str | None = None) -> None:
        if call_id in self._open:
            self._open.remove(call_id)
            await self.observer.call_ended(call_id, status, error)

    def _finish(self, message: ResultMessage) -> None:
        self._finished = True
        used = used_in(message, self._longest_prompt, self.session.prices)
        self.result.cost_usd, self.result.input_tokens, self.result.output_tokens = used
        if not message.is_error:
            self.result.text = message.result or ""
        deferred, pending, resumed_call = message.deferred_tool_use, self._gate.pending, self.session.resumed_call
        if (
            resumed_call
            and resumed_call.tool_use_id in self._open
            and not (pending and pending.tool_use_id == resumed_call.tool_use_id)
        ):
            message_text = f"The call that {self.session.agent} was to go on with was neither made nor refused."
            self.fail(Failure("approval_lost", message_text, SEE_LOG))
        if deferred and pending and deferred.id == pending.tool_use_id:
            if self.result.failure is None:
                self.result.pending_approval = pending if isinstance(pending, PendingApproval) else None
                self.result.pending_delegation = pending if isinstance(pending, PendingDelegation) else None
                self.result.pending_pause = pending if isinstance(pending, PendingPause) else None
        elif failure := failure_of(self.session, message):
            self.fail(failure)
        elif self.session.output_schema is not None:
            self._set_structured(message.structured_output, self.session.output_schema)

    def _set_structured(self, output: Any, schema: Any) -> None:
        if output is None:
            self.fail(
                Failure("no_structured_output", f"{self.session.agent} ended without the structured result asked for.")
            )
            return
        if problem := schema_problem(output, schema):
            self.fail(Failure("invalid_output", f"The result of {self.session.agent}: {problem}"))
            return
        self.result.structured = output


def _redacted(arguments: dict[str, Any]) -> HookJSONOutput:
    """The call is made with these arguments."""
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "allow",
            "updatedInput": arguments,
        }
    }

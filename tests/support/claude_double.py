"""A double of the Claude CLI: the Agent SDK's control protocol, transcripts, and tool calls, in a tenth of its time.

python -m support.claude_double ARGUMENTS ..., with the arguments, environment and streams that the SDK gives the CLI.

It is no proof of what the CLI does: whatever runs with it in `make test` runs with the CLI itself in `make prove`. It
knows what sessions of the orchestrator ask for: tools of MCP servers over HTTP and in the SDK's process, hooks that
refuse and defer, structured output, turns, dollars, interruption, and going on from a transcript.
"""

import asyncio
import itertools
import json
import os
import re
import sys
import traceback
import uuid
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NoReturn, cast

import httpx2
import jsonschema
from flotilla_orchestrator.config.prices import Tokens, shipped_prices
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from .claude_transcript import Transcript

STRUCTURED = "StructuredOutput"
AGAIN = (429, 500, 529)  # statuses of answers that are asked for again
ATTEMPTS = 5  # at a structured result that fits
REMINDERS = 1  # that there is none yet
REMINDER = (
    f"[structured-output-enforce] You MUST call the {STRUCTURED} tool to complete this request. Call this tool now."
)
GO_ON = "Continue from where you left off."

Json = dict[str, Any]


class ModelError(Exception):
    """The model did not answer, or not in its form."""

    def __init__(self, status: int | None, text: str) -> None:
        super().__init__(text)
        self.status = status


class Ended(Exception):
    """The session's result is there."""

    def __init__(self, subtype: str, **more: Any) -> None:
        self.message: Json = {"subtype": subtype, "is_error": subtype != "success", **more}


class Options:
    """The command line."""

    def __init__(self, arguments: list[str]) -> None:
        self._given: dict[str, str] = {}
        words = iter(arguments)
        for word in words:
            name, equals, value = word.partition("=")
            flag = name in ("--verbose", "--include-partial-messages", "--strict-mcp-config", "--session-mirror")
            self._given[name] = value if equals or flag else next(words)

    def __getitem__(self, name: str) -> str:
        return self._given.get(f"--{name}", "")

    def names(self, name: str) -> set[str]:
        return set(filter(None, self[name].split(",")))


class Servers:
    """The MCP servers of a session and the tools that it may be shown."""

    def __init__(self, cli: "Cli", given: Mapping[str, Json], hidden: set[str]) -> None:
        self._cli, self._given, self._hidden = cli, given, hidden
        self._clients: dict[str, Client] = {}
        self._requests = itertools.count()
        self.states: dict[str, Json] = {}
        self.tools: dict[str, Json] = {}

    async def connect(self, stack: AsyncExitStack) -> None:
        for name, server in self._given.items():
            try:
                found = await (self._sdk(name) if server["type"] == "sdk" else self._http(name, server, stack))
                self.states[name] = {"name": name, "status": "connected"}
            except Exception as error:  # noqa: BLE001  whatever it is, the SDK is told
                self.states[name] = {"name": name, "status": "failed", "error": _told(error)}
                continue
            for tool in found:
                if (full := f"mcp__{name}__{tool['name']}") not in self._hidden:
                    self.tools[full] = {**tool, "name": full}

    async def call(self, tool: str, arguments: Json, call_id: str) -> tuple[str | list[Json], bool]:
        """The content of its result, and whether it is an error."""
        _, server, name = tool.split("__", 2)
        meta = {"claudecode/toolUseId": call_id}
        if server not in self._clients:
            asked = {"name": name, "arguments": arguments, "_meta": meta}
            result = await self._message(server, "tools/call", asked)
            return result["content"], bool(result.get("isError"))
        try:
            answer = await self._clients[server].call_tool(name, arguments, meta=meta)  # pyright: ignore[reportArgumentType]  # a key of the CLI's own
        except Exception as error:  # noqa: BLE001  the model is told
            return _told(error), True
        if answer.structured_content is not None and not answer.is_error:
            return json.dumps(answer.structured_content, separators=(",", ":"), ensure_ascii=False), False
        text = "\n".join(block.text for block in answer.content if isinstance(block, TextContent))
        return text, bool(answer.is_error)

    async def _http(self, name: str, server: Json, stack: AsyncExitStack) -> list[Json]:
        headers = {key: re.sub(r"\$\{(\w+)\}", _variable, value) for key, value in server.get("headers", {}).items()}
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=None, trust_env=False))
        transport = streamable_http_client(server["url"], http_client=http)
        client = self._clients[name] = await stack.enter_async_context(Client(transport, mode="legacy"))
        found: list[Json] = []
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor)
            found += [
                {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
                for tool in page.tools
            ]
            if not (cursor := page.next_cursor):
                return found

    async def _sdk(self, name: str) -> list[Json]:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "double", "version": "1"}}
        await self._message(name, "initialize", hello)
        await self._cli.request("mcp_message", server_name=name, message=_rpc("notifications/initialized"))
        listed = await self._message(name, "tools/list", {})
        return [
            {"name": tool["name"], "description": tool.get("description"), "input_schema": tool["inputSchema"]}
            for tool in listed["tools"]
        ]

    async def _message(self, server: str, method: str, params: Json) -> Json:
        message = _rpc(method, id=next(self._requests), params=params)
        answer = await self._cli.request("mcp_message", server_name=server, message=message)
        return answer["mcp_response"]["result"]


class Cli:
    """One session: what the SDK says on standard input, and what it is told on standard output."""

    def __init__(self, arguments: list[str]) -> None:
        self.options = Options(arguments)
        self.session_id = self.options["session-id"] or self.options["resume"]
        self._hooks: Json = {}
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._turn: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._usage: defaultdict[str, Json] = defaultdict(lambda: {"inputTokens": 0, "outputTokens": 0, "costUSD": 0.0})
        self._turns = self._misfits = self._reminders = 0
        self.transcript = Transcript(self.session_id, self.tell)
        configured = json.loads(self.options["mcp-config"] or '{"mcpServers": {}}')["mcpServers"]
        self.servers = Servers(self, configured, self.options.names("disallowedTools"))

    async def run(self) -> NoReturn:
        reader = asyncio.StreamReader(limit=1 << 26)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async with AsyncExitStack() as stack:
            connecting = asyncio.ensure_future(self.servers.connect(stack))
            while line := await reader.readline():
                message = json.loads(line)
                match message["type"]:
                    case "control_request":
                        self._spawn(self._serve(message["request_id"], message["request"], connecting))
                    case "control_response":
                        answer = message["response"]
                        self._answers.pop(answer["request_id"]).set_result(answer)
                    case _:
                        self._turn = self._spawn(self._session(message["message"]["content"], connecting))
            os._exit(0)

    def tell(self, **message: Any) -> None:
        print(json.dumps({"session_id": self.session_id, "uuid": str(uuid.uuid4()), **message}), flush=True)

    async def request(self, subtype: str, **fields: Any) -> Json:
        """Ask the SDK."""
        request_id = str(uuid.uuid4())
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        self.tell(type="control_request", request_id=request_id, request={"subtype": subtype, **fields})
        said = await answer
        if said["subtype"] == "error":
            raise RuntimeError(said["error"])
        return said["response"] or {}

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, request_id: str, request: Json, connecting: "asyncio.Future[None]") -> None:
        response: Json = {}
        match request["subtype"]:
            case "initialize":
                self._hooks = request["hooks"] or {}
                response = {"hooks_applied": True, "hook_on_failure_supported": True, "commands": []}
                if self.transcript.deferred():  # it takes up the call by itself
                    self._turn = self._spawn(self._session(None, connecting))
            case "mcp_status":
                await asyncio.wait([connecting])
                response = {"mcpServers": list(self.servers.states.values())}
            case "interrupt":
                if self._turn:
                    self._turn.cancel()
            case _:
                pass
        answer = {"subtype": "success", "request_id": request_id, "response": response}
        self.tell(type="control_response", response=answer)

    async def _session(self, prompt: str | None, connecting: "asyncio.Future[None]") -> None:
        """Turns until there is a result."""
        await asyncio.wait([connecting])
        try:
            if prompt is None:
                await self._calls([self.transcript.deferred()])
                self.transcript.said(GO_ON, isMeta=True)
            else:
                self.transcript.said(prompt)
            while True:
                await self._answer()
        except Ended as end:
            self._end(end.message)
        except ModelError as error:
            said = {"result": f"API Error: {error}", "api_error_status": error.status, "is_error": True}
            self._end({"subtype": "success", "terminal_reason": "api_error", **said})
        except asyncio.CancelledError:
            self._end({"subtype": "error_during_execution", "is_error": True})
        except Exception:  # noqa: BLE001  as the CLI would, it ends
            traceback.print_exc()
            os._exit(1)

    def _end(self, message: Json) -> None:
        usage = {
            name: {**used, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0}
            for name, used in self._usage.items()
        }
        common = {"duration_ms": 1, "duration_api_ms": 1, "num_turns": self._turns, "total_cost_usd": self._cost}
        self.tell(type="result", **common, modelUsage=usage, usage={}, **message)

    @property
    def _cost(self) -> float:
        return sum(used["costUSD"] for used in self._usage.values())

    async def _answer(self) -> None:
        """One answer of the model, and the calls that it asks for."""
        limit, usd = self.options["max-turns"], self.options["max-budget-usd"]
        if limit and self._turns >= int(limit):
            raise Ended("error_max_turns", errors=[f"Reached maximum number of turns ({limit})"])
        if usd and self._cost >= float(usd):
            raise Ended("error_max_budget_usd", errors=[f"Reached maximum budget (${usd})"])
        answer = await self._ask()
        self._turns += 1
        for block in answer["content"]:
            whole = {**answer, "content": [block]}
            self.transcript.answered(whole)
            self.tell(type="assistant", message=whole, parent_tool_use_id=None)
        if calls := [block for block in answer["content"] if block["type"] == "tool_use"]:
            await self._calls(calls)
        elif not self.options["json-schema"] or self._reminders >= REMINDERS:
            raise Ended("success", result="".join(block["text"] for block in answer["content"]))
        else:
            self._reminders += 1
            self.transcript.said(REMINDER, isMeta=True)

    async def _ask(self) -> Json:
        model = self.options["model"]
        model = shipped_prices().aliases.get(model, model)
        tools = list(self.servers.tools.values())
        if schema := self.options["json-schema"]:
            tools.append({"name": STRUCTURED, "description": "The result.", "input_schema": json.loads(schema)})
        asked = {"model": model, "max_tokens": 32000, "system": self.options["system-prompt"], "tools": tools}
        headers = {"x-claude-code-session-id": self.session_id, "x-api-key": os.environ.get("ANTHROPIC_API_KEY", "")}
        url = f"{os.environ['ANTHROPIC_BASE_URL']}/v1/messages"
        body, left = (
            {**asked, "messages": self.transcript.messages()},
            int(os.environ.get("CLAUDE_CODE_MAX_RETRIES", "0")),
        )
        async with httpx2.AsyncClient(headers=headers, timeout=None, trust_env=False) as http:
            response = await http.post(url, json=body)
            while left and response.status_code in AGAIN:
                response, left = await http.post(url, json=body), left - 1
        if response.is_error:
            raise ModelError(response.status_code, response.json()["error"]["message"])
        try:
            answer: Json = response.json()
        except ValueError as error:
            raise ModelError(None, str(error)) from error
        used, price = Tokens.from_usage(answer["usage"]), shipped_prices().price_of(model)
        counted = self._usage[model]
        counted["inputTokens"] += used.prompt
        counted["outputTokens"] += used.output
        counted["costUSD"] += price.cost(used, used.prompt) if price else 0
        return answer

    async def _calls(self, blocks: list[Json]) -> None:
        """The calls of one answer, one after the other; the session ends if one is deferred, or is its result."""
        ends: Ended | None = None
        for block in blocks:
            tool, call_id, arguments = block["name"], block["id"], block["input"]
            if wrong := self._impossible(tool, arguments):
                self._result(call_id, f"<tool_use_error>{wrong}</tool_use_error>", failed=True)
                continue
            verdict = await self._hook("PreToolUse", block)
            match verdict.get("permissionDecision"):
                case "defer":
                    self.transcript.defer(block)
                    deferred = {"id": call_id, "name": tool, "input": arguments}
                    ends = Ended("success", result="", terminal_reason="tool_deferred", deferred_tool_use=deferred)
                    continue
                case "deny":
                    refused = f"PreToolUse:{tool} hook error: {verdict['permissionDecisionReason']}"
                    self._result(call_id, refused, failed=True)
                    continue
                case _:
                    arguments = verdict.get("updatedInput", arguments)
            if tool == STRUCTURED:
                content, failed = self._structured(arguments)
            elif tool in self.options.names("allowedTools"):
                content, failed = await self.servers.call(tool, arguments, call_id)
            else:
                content, failed = f"Permission to use {tool} has been denied.", True
            said = content if isinstance(content, str) else "\n".join(part["text"] for part in content)
            told = {"error": said} if failed else {"tool_response": said}
            heard = await self._hook("PostToolUseFailure" if failed else "PostToolUse", block, **told)
            self._result(call_id, content, failed=failed)
            if context := heard.get("additionalContext"):
                self.transcript.add_context(call_id, tool, context)
            if tool == STRUCTURED and not failed:
                ends = Ended("success", result=json.dumps(arguments), structured_output=arguments)
        if ends:
            raise ends

    def _impossible(self, tool: str, arguments: object) -> str:
        """Why no hook hears of a call."""
        if tool not in self.servers.tools and not (tool == STRUCTURED and self.options["json-schema"]):
            return f"Error: No such tool available: {tool}"
        return "" if isinstance(arguments, dict) else f"InputValidationError: {tool} was given no JSON object"

    def _structured(self, arguments: Json) -> tuple[str, bool]:
        try:
            jsonschema.validate(arguments, json.loads(self.options["json-schema"]))
        except jsonschema.ValidationError as error:
            self._misfits += 1
            if self._misfits >= ATTEMPTS:
                raise Ended("error_max_structured_output_retries", errors=[error.message]) from None
            return f"Output does not match required schema: {error.message}", True
        return "Structured output provided successfully", False

    def _result(self, call_id: str, content: str | list[Json], *, failed: bool) -> None:
        block: Json = {"type": "tool_result", "tool_use_id": call_id, "content": content}
        if failed:
            block["is_error"] = True
        self.transcript.said([block])
        self.tell(type="user", message={"role": "user", "content": [block]}, parent_tool_use_id=None)

    async def _hook(self, event: str, block: Json, **more: Any) -> Json:
        about = {"hook_event_name": event, "tool_name": block["name"], "tool_input": block["input"]}
        about |= {"tool_use_id": block["id"], "session_id": self.session_id, "cwd": str(Path.cwd()), **more}
        verdict: Json = {}
        for matcher in self._hooks.get(event, []):
            for callback in matcher["hookCallbackIds"]:
                said = await self.request("hook_callback", callback_id=callback, input=about, tool_use_id=block["id"])
                verdict |= said.get("hookSpecificOutput") or {}
        return verdict


def _variable(name: "re.Match[str]") -> str:
    return os.environ.get(name[1], "")


def _rpc(method: str, **fields: Any) -> Json:
    return {"jsonrpc": "2.0", "method": method, **fields}


def _told(error: BaseException) -> str:
    """As the CLI says it: what is behind a group, and of a server that is gone that it refused the connection."""
    if isinstance(error, BaseExceptionGroup):
        return _told(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    gone = isinstance(error, httpx2.TransportError)
    return f"ECONNREFUSED: {error}" if gone else str(error) or type(error).__name__


if __name__ == "__main__":
    asyncio.run(Cli(sys.argv[1:]).run())

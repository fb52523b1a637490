"""Runs one isolated Agent SDK session: with the agent's own tools and limits and nothing else, to one result.

Built-in tools, settings, skills and foreign MCP servers are
off, what is not granted is neither listed nor allowed nor let through by the hook, and an in-process server `gate` is
always there (without one a resumed session can run a call before its hooks are registered).
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path

import claude_agent_sdk
from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ClaudeSDKError,
    HookMatcher,
    McpServerConfig,
    create_sdk_mcp_server,
)

from ..config.fields import GATE
from ..errors import Failure
from .events import SessionEvents
from .outcome import SEE_LOG
from .types import CallObserver, Session, SessionResult

_CONNECT_S = 15  # how long a session's servers may take to connect
_RECONNECT_PAUSE_S = 0.5
_HOOK_S = 60  # how long a hook may take, beside what it may wait; one that asks for an approval gives up long before
_UNANSWERED = ("server_unavailable", "cli_failed")
_LARGEST_MESSAGE = 16 * 1024 * 1024  # bytes of one message from the CLI


async def run_session(session: Session, observer: CallObserver, prompt: Awaitable[str] | None = None) -> SessionResult:
    """Run a session to its end; whatever goes wrong is in `failure`, and the CLI process is gone when this returns.

    Args:
        prompt: in place of the session's own, which may not be known yet; nothing is asked before it is.
    """
    started, asked = time.monotonic(), False
    events = SessionEvents(session, observer)
    if not session.deadline.remaining:
        events.fail(_late(session))
        return events.result
    client = ClaudeSDKClient(_options(session, events))
    try:
        try:
            async with session.deadline.running() as events.running_time:
                await client.connect()
                await _servers_connected(client, session)
                text = await prompt if prompt else session.prompt
                asked = True
                if not session.resumes_a_call:
                    await client.query(session.resume_prompt if session.resumes_with else text)
                await events.listen(client)
        except TimeoutError:
            events.fail(_late(session))
            if asked:
                await events.interrupt(client)
        except asyncio.CancelledError:
            if asked:  # a CLI in the middle of a call takes seconds to notice that its input ended
                await events.interrupt(client)
            raise
        except Failure as failure:
            events.fail(failure)
        except ClaudeSDKError as error:
            events.log(str(error))
            events.fail(
                Failure("cli_failed", f"The Claude CLI of {session.agent} failed ({type(error).__name__}).", SEE_LOG)
            )
    finally:
        await client.disconnect()
        await events.close()
    if events.result.failure and events.result.failure.code in _UNANSWERED and not events.result.turns:
        events.result.cost_usd = events.result.cost_usd or 0.0  # no model call was made
    events.result.duration_s = time.monotonic() - started
    return events.result


def work_folder(folder: Path) -> Path:
    """The working folder of a run's sessions; transcripts are stored under its path."""
    return folder / "work"


def _options(session: Session, events: SessionEvents) -> ClaudeAgentOptions:
    config, work = session.folder / "claude", work_folder(session.folder)
    for folder in (config, work):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = {
        "CLAUDE_CONFIG_DIR": str(config),
        "HOME": str(config),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "ENABLE_TOOL_SEARCH": "false",  # every granted tool is shown; there is no other to search for
        "API_TIMEOUT_MS": str(int(session.model_call_s * 1000)),
        "CLAUDE_CODE_MAX_RETRIES": str(session.retries),
        "MCP_TIMEOUT": str(_CONNECT_S * 1000),
        # Seconds that the CLI remembers addresses: a server that is started anew may have another one.
        "BUN_CONFIG_DNS_TIME_TO_LIVE_SECONDS": "1",
        # A session's CLI mostly starts: without its engine's second compiler that takes a third less processor time.
        "BUN_JSC_useDFGJIT": "0",
    }
    environment = {**session.environment, **own}
    # The SDK sets these itself.
    keep = [*environment, "PWD", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_AGENT_SDK_VERSION", "TRACEPARENT", "TRACESTATE",
            "CLAUDE_CODE_SDK_READS_SESSION_STATE"]  # fmt: skip
    servers: dict[str, McpServerConfig] = {
        **session.servers,
        GATE: create_sdk_mcp_server(GATE, tools=list(session.gate_tools)),
    }
    resumes = session.resumes_a_call or bool(session.resumes_with)
    if not resumes:  # a process that died early may have left a file that the CLI would fail on
        for left in config.glob(f"projects/*/{session.session_id}.jsonl"):
            left.unlink()
    return ClaudeAgentOptions(
        session_id=None if resumes else session.session_id,
        resume=session.session_id if resumes else None,
        session_store=session.store,
        session_store_flush="eager",
        include_partial_messages=session.on_stream is not None,
        system_prompt=session.system_prompt,
        model=session.model,
        fallback_model=session.fallback_model,
        tools=[],
        allowed_tools=sorted(session.grants),
        disallowed_tools=sorted(session.hidden),
        permission_mode="dontAsk",
        mcp_servers=servers,
        strict_mcp_config=True,
        setting_sources=[],
        skills=[],
        # Without it the CLI reads a file that a task mentions as @/path into the prompt.
        verbatim_prompts=True,
        hooks={
            "PreToolUse": [
                HookMatcher(hooks=[events.before_call], on_failure="block", timeout=_HOOK_S + session.wait_s)
            ],
            "PostToolUse": [HookMatcher(hooks=[events.after_call], on_failure="block")],
            "PostToolUseFailure": [
                HookMatcher(hooks=[events.after_failed_call], on_failure="block", timeout=_HOOK_S + session.restart_s)
            ],
        },
        output_format={"type": "json_schema", "schema": dict(session.output_schema)} if session.output_schema else None,
        max_turns=session.max_turns,
        max_budget_usd=session.prices.cli_budget(session.budget_usd, session.model),
        max_buffer_size=_LARGEST_MESSAGE,
        cwd=work,
        cli_path=Path(__file__).parent / "claude.sh",
        env={**environment, "FLOTILLA_KEEP": " ".join(keep), "FLOTILLA_CLAUDE_BINARY": _binary()},
        stderr=events.log,
    )


def _binary() -> str:
    bundled = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
    found = str(bundled) if bundled.exists() else shutil.which("claude")
    if not found:
        raise Failure("no_cli", "There is no Claude CLI.", "Install claude-agent-sdk from a wheel; it carries one.")
    return found


async def _servers_connected(client: ClaudeSDKClient, session: Session) -> None:
    """Wait until the CLI is connected to every server of the session; it would start without them.

    Raises:
        Failure: `server_unavailable`, before the first model call.
    """
    began = time.monotonic()
    within_s = max(_CONNECT_S, session.restart_s)
    waiting = set(session.servers)
    while waiting:
        for server in (await client.get_mcp_status())["mcpServers"]:
            if server["status"] == "connected":
                waiting.discard(server["name"])
            elif server["name"] in waiting and server["status"] != "pending":
                if server["status"] != "failed" or time.monotonic() - began >= session.restart_s:
                    raise _unavailable(session, server["name"], server.get("error") or server["status"])
                await _reconnect(client, server["name"])
        if waiting and time.monotonic() - began > within_s:
            raise _unavailable(session, min(waiting), f"no connection after {within_s:g} s")
        if waiting:
            await asyncio.sleep(0.01)  # the CLI has no event for it


async def _reconnect(client: ClaudeSDKClient, server: str) -> None:
    await asyncio.sleep(_RECONNECT_PAUSE_S)
    with suppress(Exception):  # the SDK raises just that; the server's status says it as well
        await client.reconnect_mcp_server(server)


def _late(session: Session) -> Failure:
    return Failure(
        "wall_clock_exceeded",
        f"{session.agent} was stopped after {session.deadline.seconds:g} s.",
        "Raise limits.wall_clock_s, or give it less to do.",
    )


def _unavailable(session: Session, server: str, reason: str) -> Failure:
    return Failure(
        "server_unavailable",
        f"{session.agent} cannot use the server {server}: {reason}.",
        f"See whether {server} is still running. Nothing was asked of the model.",
        retryable=True,
        details={"server": server},
    )

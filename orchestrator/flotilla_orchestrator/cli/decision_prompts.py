"""Shows approvals of a run to people: as a prompt at its terminal, else as a message. It decides nothing itself."""

import asyncio
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from flotilla_kit.terminal.output import quoted, tell, visible

from ..config.config import Config
from ..fleet.approvals import Approval
from ..fleet.processes import executable
from ..provider import server_environment
from ..sessions.decisions import STEP_QUESTIONS, DecisionRequest

_DECIDED_S = 2  # how long a command that nobody waits for any more may take to say what it has decided


def describe(server: str, approval: Approval) -> str:
    """An approval as text for whoever decides; the server's facts come last, nearest to the question."""
    if server == STEP_QUESTIONS:
        return _question_text(approval)
    lines = [
        f"{approval.approval_id}: {visible(approval.tool)} on {server}, {approval.state}",
        f"  asked by {quoted(approval.requester)} in run {quoted(approval.run)}, good until {approval.expires_at}",
    ]
    if approval.decided_by:
        reason = f": {quoted(approval.reason)}" if approval.reason else ""
        lines.append(f"  decided by {quoted(approval.decided_by)}{reason}")
    return "\n".join([*lines, _arguments_and_facts(approval)])


def _question_text(approval: Approval) -> str:
    lines = [f"{visible(approval.requester)} asks in {visible(approval.run)}, {approval.state}"]
    lines[0] += f", good until {approval.expires_at}" if approval.state == "pending" else f" by {approval.decided_by}"
    if approval.arguments:
        lines.append("Results of the steps before it:")
        lines += [f"  {visible(name)}: {quoted(value)}" for name, value in approval.arguments.items()]
    lines += [f"  {visible(name)}: {quoted(value)}" for name, value in approval.facts.items() if name != "question"]
    return "\n".join([*lines, f"{visible(approval.tool)}: {visible(approval.facts['question'])}"])


def _arguments_and_facts(approval: Approval) -> str:
    """The arguments of the call, and the server's facts about it."""
    lines = ["Arguments, as the caller wrote them:"]
    lines += [f"  {visible(name)}: {quoted(value)}" for name, value in approval.arguments.items()]
    lines.append("Facts, as the server knows them:")
    lines += [f"  {visible(name)}: {visible(value)}" for name, value in approval.facts.items()]
    return "\n".join(lines)


@dataclass(frozen=True)
class DecisionCommands:
    """The commands by which people decide about this run's calls.

    Args:
        home: where the local servers of the run keep their data.
    """

    config: Config
    home: Path
    environ: Mapping[str, str]

    def approver_command(self, server: str, approval_id: str, decision: str = "approve") -> list[str]:
        """From anywhere, with an approver's own key or token; a step's question, on this machine."""
        if server == STEP_QUESTIONS:
            return ["flotilla", "decide", *approval_id.split("/"), decision, "--home", self.environ["FLOTILLA_HOME"]]
        where = ["--server", server, "--home", str(self.home), "--configs", str(self.config.folder)]
        return ["flotilla", "approvals", decision, approval_id, *where]

    def server_command(self, server: str, *words: str) -> list[str] | None:
        """On this machine, by the server's own command; None for a server elsewhere."""
        command = self.config.fleet.servers[server].command if server != STEP_QUESTIONS else None
        if command is None:
            return None
        home = [] if "--home" in command else ["--home", str(self.home)]
        return [*command, *home, "approvals", *words]

    async def run(self, server: str, *words: str) -> int:
        """Decide in a process of its own, which has the terminal; stop it if nobody waits for it any more."""
        own = self.server_command(server, *words)
        if own:
            environment = server_environment(self.environ, server, self.config.fleet.servers[server].env)
        else:
            command_line = self.approver_command(server, words[1], words[0])[1:]
            own = [sys.executable, "-m", "flotilla_orchestrator", *command_line, *words[2:]]
            environment = dict(self.environ)
        environment |= {"TERM": self.environ.get("TERM", "")}
        process = await asyncio.create_subprocess_exec(
            executable(own[0]), *own[1:], cwd=self.config.folder, env=environment
        )
        try:
            return await process.wait()
        finally:
            # What it has just decided may be seen here before it has said so.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _DECIDED_S)
            if process.returncode is None:
                process.terminate()
                await process.wait()


class DecisionNotice:
    """Writes the commands by which to decide to stderr, once for each approval."""

    def __init__(self, commands: DecisionCommands) -> None:
        self._commands = commands

    async def __call__(self, pending: DecisionRequest) -> None:
        approval = pending.approval
        tell(f"\nThe run waits for an approval.\n{describe(pending.server, approval)}")
        if own := self._commands.server_command(pending.server, "approve", approval.approval_id):
            tell(f"Decide on this machine (`reject` to refuse):\n  {shlex.join(own)}")
        command = shlex.join(self._commands.approver_command(pending.server, approval.approval_id))
        if pending.server == STEP_QUESTIONS:
            tell(f"Decide (`reject` to refuse):\n  {command}\n")
            return
        tell(f"Decide with an approver's key, from anywhere:\n  FLOTILLA_APPROVER_KEY=FILE {command}\n")


class TerminalPrompt:
    """Asks the person at this terminal, one question at a time.

    Args:
        free_terminal: keeps the terminal free of the run's live display while its block lasts.
    """

    def __init__(self, commands: DecisionCommands, free_terminal: Callable[[], AbstractContextManager[None]]) -> None:
        self._commands, self._free_terminal, self._notice = commands, free_terminal, DecisionNotice(commands)
        self._lock = asyncio.Lock()

    async def __call__(self, pending: DecisionRequest) -> None:
        approval_id = pending.approval.approval_id
        async with self._lock:
            with self._free_terminal():
                tell(f"\n{_request_line(pending)}")
                while True:
                    answer = (await _read_line("Approve, reject, or leave it to somebody else? [a/r/l] ")).lower()[:1]
                    if answer == "a":
                        words = ["approve", approval_id]
                    elif answer == "r":
                        words = ["reject", approval_id, "--reason", await _read_line("Why? (for the worker) ")]
                    elif answer in ("l", ""):
                        break
                    else:
                        continue
                    if await self._commands.run(pending.server, *words) == 0:
                        return
        await self._notice(pending)


def _request_line(pending: DecisionRequest) -> str:
    if pending.server == STEP_QUESTIONS:
        return _question_text(pending.approval)
    asks = f"{quoted(pending.approval.requester)} asks for {visible(pending.approval.tool)}"
    return f"{asks} on {pending.server}.\n{_arguments_and_facts(pending.approval)}"


async def _read_line(question: str) -> str:
    """What a person types, without a thread that would read on after the question is withdrawn."""
    _write(question)
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(sys.stdin, ready.set)
    except NotImplementedError:  # Windows
        return ""
    try:
        await ready.wait()  # a terminal is readable once it has a whole line
        with contextlib.suppress(OSError):
            return os.read(sys.stdin.fileno(), 1024).decode(errors="replace").strip()
        return ""
    finally:
        loop.remove_reader(sys.stdin)


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()

"""One agent of a run: its session, and what continues it after each call that a person had to decide about."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from claude_agent_sdk import Message
from claude_agent_sdk.types import McpHttpServerConfig

from .approvals import Approvals
from .budget import Allowance
from .calls import Calls
from .config import TOOL_NAME, Config, Worker
from .deadline import Deadline
from .delegation import DELEGATE, Delegation, Task
from .errors import Failure
from .fleet import Fleet
from .journal import Journal, Span
from .minting import Mandates
from .provider import Provider
from .session import run_session
from .session_types import Session, SessionResult, Waiting
from .waiting import Ask, Pending, decision


@dataclass(frozen=True)
class Means:
    """What all agents of a run work with."""

    config: Config
    fleet: Fleet
    mandates: Mandates
    provider: Provider
    journal: Journal
    folder: Path
    """Private to the run; holds logs and transcripts."""
    ask: Ask
    """Brings a call that has to be approved before somebody who may."""
    slots: asyncio.Semaphore
    """One for each worker at work at the same time."""
    hear: Callable[[Session, Message], None] | None = None
    """Told each message of each session."""


class Agent:
    """A worker with a task.

    Args:
        span: of its session; the session's id is made of its id.
        above: the deadline of whoever waits for it.
        work: runs a task that it delegates: the task, how many are about to share the budget, the span and the
            deadline that it is part of.
    """

    def __init__(
        self,
        means: Means,
        worker: Worker,
        prompt: str,
        output: Mapping[str, Any] | None,
        *,
        span: Span,
        above: Deadline,
        work: Callable[[Task, int, Span, Deadline], Awaitable[SessionResult]],
    ) -> None:
        self._means, self._worker, self._prompt, self._output = means, worker, prompt, output
        self._span, self._above, self._delegate = span, above, work
        self._calls = Calls(means.journal, span)

    async def run(self, allowance: Allowance) -> SessionResult:
        """To its end; a failure is in the result. Nothing runs and no slot is held while people think."""
        result, decided, deadline = SessionResult(), None, None
        try:
            while True:
                # A lead takes no slot: it would hold one while it waits for workers that need one.
                async with contextlib.nullcontext() if self._worker.delegates else self._means.slots:
                    deadline = deadline or Deadline(allowance.wall_clock_s, self._above)
                    turns, usd = allowance.left(result.turns, result.cost_usd)
                    part = await self._session(turns, usd, deadline, decided)
                result = result.then(part)
                allowance.settle(result.turns, result.cost_usd)
                if part.waiting is None:
                    return result
                allowance.left(result.turns, result.cost_usd)  # before a person is asked in vain
                with deadline.paused():
                    decided = await self._decided(part.waiting)
        except Failure as failure:
            return replace(result, failure=failure, waiting=None)
        finally:
            await self._calls.close()

    async def _decided(self, waiting: Waiting) -> Waiting:
        url = self._means.fleet.servers[waiting.server].url
        pending = Pending(waiting.server, url, waiting.approval)
        found = await decision(self._approvals(waiting.server), pending, self._means.ask)
        await self._calls.call_decided(waiting.tool_use_id, found)
        return replace(waiting, approval=found)

    async def _session(
        self, max_turns: int, budget_usd: float, deadline: Deadline, decided: Waiting | None
    ) -> SessionResult:
        worker, fleet = self._worker, self._means.config.fleet
        model = worker.model or fleet.models.default
        granted = self._means.mandates.granted(worker)
        delegation = self._delegation(deadline) if worker.delegates else None
        session = Session(
            session_id=str(UUID(self._span.span_id)),
            agent=worker.name,
            system_prompt=worker.prompt,
            prompt=self._prompt,
            model=model,
            fallback_model=fleet.models.fallbacks.get(model),
            grants=frozenset([*granted, DELEGATE] if delegation else granted),
            hidden=self._means.mandates.hidden(worker),
            asks={tool: self._approvals(server) for tool in granted if (server := self._asked(tool))},
            servers={name: self._server(name) for name in worker.servers},
            gate=[delegation.tool()] if delegation else [],
            output_schema=self._output,
            max_turns=max_turns,
            budget_usd=budget_usd,
            deadline=deadline,
            model_call_s=fleet.limits.model_call_s,
            retries=fleet.limits.retries,
            environment=self._environment(),
            folder=self._means.folder,
            decided=decided,
            hear=self._means.hear,
        )
        try:
            return await run_session(session, self._calls)
        finally:
            if delegation:
                await delegation.close()

    def _delegation(self, deadline: Deadline) -> Delegation:
        team = {name: self._means.config.workers[name] for name in self._worker.delegates}

        async def work(task: Task, among: int) -> SessionResult:
            return await self._delegate(task, among, self._calls.delegation, deadline)

        return Delegation(self._worker.name, team, work)

    def _asked(self, tool: str) -> str | None:
        """The server to ask before this tool is called; None where no call of it can need an approval."""
        name = TOOL_NAME.fullmatch(tool)
        assert name, "the config was checked"
        server = self._means.fleet.servers[name["server"]]
        return server.name if server.asks and not server.tools[name["tool"]].reads else None

    def _approvals(self, server: str) -> Approvals:
        mandates = self._means.mandates
        connected = self._means.fleet.servers[server]
        return Approvals(server, lambda: connected.client(mandates.approval_token(self._worker, server)))

    def _server(self, name: str) -> McpHttpServerConfig:
        server = self._means.fleet.servers[name]
        return {"type": "http", "url": server.url, "headers": dict(server.headers)}

    def _environment(self) -> dict[str, str]:
        """The provider's variables, and the values that its servers' headers name (so no token is in an argument)."""
        environment = self._means.provider.environment(self._worker.name)
        for name in self._worker.servers:
            environment.update(self._means.fleet.servers[name].variables)
        return {**environment, **self._means.mandates.tokens(self._worker)}

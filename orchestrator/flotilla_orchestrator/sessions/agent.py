"""One agent of a run: makes the session that its worker's file, task and mandates describe."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import Message, SessionStore
from claude_agent_sdk.types import McpHttpServerConfig

from ..config.config import Config
from ..config.fields import TOOL_NAME
from ..config.workers import Worker
from ..fleet.approvals import Approvals
from ..fleet.circuit_breaker import CircuitBreaker
from ..fleet.connection import ServerConnection
from ..fleet.fleet import Fleet
from ..fleet.run_mandates import RunMandates
from ..journal.journal import Journal, session_id
from ..provider import Provider
from .artifact_tools import WRITE, ArtifactTools
from .deadline import Deadline
from .decisions import Notify
from .delegation_tools import DelegationTools
from .lost_calls import advice
from .types import PendingCall, PendingDelegation, Session

if TYPE_CHECKING:
    from ..telemetry.run_traces import RunTraces

_RENEW_S = 60  # before its mandates expire, a session ends in front of its next call, and is resumed with new ones


@dataclass(frozen=True)
class RunResources:
    """What all agents of a run share: config, servers, model, journal, folder."""

    config: Config
    fleet: Fleet
    provider: Provider
    journal: Journal
    folder: Path
    """Private to the run; holds logs."""
    notify: Notify
    """Shows a call that has to be approved to whoever may."""
    on_message: Callable[[Session, Message], None] | None = None
    """Called with each message of each session."""
    traces: "RunTraces | None" = None
    """Where they are asked for."""

    @property
    def circuit_breaker(self) -> CircuitBreaker:
        return CircuitBreaker(self.journal.database, self.config.fleet.limits.breaker)


class Agent:
    """A worker with a task.

    Args:
        span_id: of its session, whose id is made of it.
        depth: how many delegations and transfers it is away from the run's lead.
    """

    def __init__(
        self,
        resources: RunResources,
        mandates: RunMandates,
        worker: Worker,
        prompt: str,
        output: Mapping[str, Any] | None,
        span_id: str,
        depth: int = 0,
    ) -> None:
        self._resources, self._mandates, self._worker = resources, mandates, worker
        self._prompt, self.output, self.session_id = prompt, output, session_id(span_id)
        self._depth = depth

    def session(
        self,
        store: SessionStore,
        turns: int,
        usd: float,
        deadline: Deadline,
        decided: PendingCall | None,
        artifacts: ArtifactTools | None = None,
    ) -> Session:
        """Its session with fresh mandates, allowed so many turns and dollars.

        Args:
            decided: the call to resume with, decided or reported meanwhile.
        """
        worker, fleet, model = self._worker, self._resources.config.fleet, self.model
        granted, lifetime_s = self._mandates.granted_tools(worker), self._mandates.lifetime_s(worker)
        delegation = self._delegation(decided) if worker.delegates or worker.transfers else None
        return Session(
            session_id=self.session_id,
            agent=worker.name,
            system_prompt=worker.prompt,
            prompt=self._prompt,
            model=model,
            fallback_model=fleet.models.fallbacks.get(model),
            grants=frozenset(
                [*granted, *(delegation.names if delegation else ()), *(artifacts.names if artifacts else ())]
            ),
            hidden=self._mandates.hidden_tools(worker),
            approvals={tool: self.approvals_of(server) for tool in granted if (server := self._approval_server(tool))},
            servers={name: self._server_config(name) for name in worker.servers},
            restart_s=max((self._resources.fleet.servers[name].restart_s for name in worker.servers), default=0),
            gate_tools=[*(delegation.tools() if delegation else ()), *(artifacts.tools() if artifacts else ())],
            delegation=delegation,
            output_schema=self.output,
            max_turns=turns,
            budget_usd=usd,
            deadline=deadline,
            model_call_s=fleet.limits.model_call_s,
            retries=fleet.limits.retries,
            environment=self._environment(),
            folder=self._resources.folder,
            store=store,
            resumed_call=decided,
            changing_tools=frozenset(
                [*(tool for tool in granted if not self._reads_only(tool)), *([WRITE] if artifacts else ())]
            ),
            advice=self._advice,
            renew_at=time.monotonic() + lifetime_s - min(_RENEW_S, lifetime_s / 4),
            guardrails=self._mandates.guardrails,
            prices=self._resources.config.prices,
            on_message=self._resources.on_message,
        )

    @property
    def model(self) -> str:
        return self._worker.model or self._resources.config.fleet.models.default

    def approvals_of(self, server: str) -> Approvals:
        """Requests approvals of a server on behalf of the worker."""
        connected = self._resources.fleet.servers[server]
        token = partial(self._mandates.approval_token, self._worker, server)
        return Approvals(server, lambda: connected.client(token()), restart_s=connected.restart_s)

    async def _advice(self, tool: str, arguments: Mapping[str, Any], call_id: str, error: str) -> str | None:
        if (name := TOOL_NAME.fullmatch(tool)) is None or name["server"] not in self._resources.fleet.servers:
            return None  # one of the session's own
        return await advice(*self._server_and_tool(tool), arguments, call_id, error)

    def _delegation(self, decided: PendingCall | None) -> DelegationTools:
        workers, reports = (
            self._resources.config.workers,
            decided.reports if isinstance(decided, PendingDelegation) else (),
        )
        team, heirs = (
            {name: workers[name] for name in names} for names in (self._worker.delegates, self._worker.transfers)
        )
        may = self._depth < self._resources.config.fleet.limits.delegation_depth
        return DelegationTools(self._worker.name, team, heirs, reports, allowed=may)

    def _approval_server(self, tool: str) -> str | None:
        """The server to ask before this tool is called; None where no call of it can need an approval."""
        server, name = self._server_and_tool(tool)
        return server.name if server.has_approvals and not server.tools[name].read_only else None

    def _reads_only(self, tool: str) -> bool:
        server, name = self._server_and_tool(tool)
        return server.tools[name].read_only

    def _server_and_tool(self, tool: str) -> tuple[ServerConnection, str]:
        name = TOOL_NAME.fullmatch(tool)
        assert name, "the config was checked"
        return self._resources.fleet.servers[name["server"]], name["tool"]

    def _server_config(self, name: str) -> McpHttpServerConfig:
        server = self._resources.fleet.servers[name]
        return {"type": "http", "url": server.url, "headers": dict(server.headers)}

    def _environment(self) -> dict[str, str]:
        """The provider's variables, and the values that its servers' headers name (so no token is in an argument)."""
        environment = self._resources.provider.environment(self._worker.name)
        for name in self._worker.servers:
            environment.update(self._resources.fleet.servers[name].variables)
        return {**environment, **self._mandates.tokens(self._worker)}

"""The mandates of one run: their claims for the whole team, and a new token for each session and server."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from ..config.config import Config
from ..config.limits import SESSION_WAIT_S
from ..config.playbooks import Playbook, ToolCall
from ..config.workers import Worker
from ..errors import Failure
from ..mandates.claims import (
    MAX_LIFETIME_S,
    AuthorizationDetail,
    RunFacts,
    approval_details,
    call_detail,
    resolve_scopes,
    worker_details,
)
from ..mandates.guardrails import Guardrails
from .fleet import Fleet

_MARGIN_S = 60  # what a session may take on top of its wall clock, to start and to end


class RunMandates:
    """The mandates of these workers for the servers of a fleet, which lists all of their tools.

    Args:
        playbook: whose scope narrows the mandates; None for no scope.

    Raises:
        Failure: `bad_bound`, `bad_rule`, `bad_guardrail`, `bad_scope`, `lookup_failed`; `mandates_ignored`: a bound,
            scope or rule is for a server that checks no mandates.
    """

    def __init__(
        self, config: Config, fleet: Fleet, facts: RunFacts, playbook: Playbook | None, workers: Iterable[Worker]
    ) -> None:
        self._fleet, self._limits = fleet, config.fleet.limits
        self._facts, self._rules = facts, config.rules
        self.guardrails = Guardrails(config.guardrails, facts.inputs)
        self.scopes: Mapping[str, Mapping[str, str]] = resolve_scopes(playbook, facts) if playbook else {}
        self._details = {
            worker.name: {
                server: self._check_enforced(
                    worker,
                    server,
                    worker_details(worker, server, facts, config.rules, fleet.servers[server].tools, self.guardrails),
                )
                for server in worker.servers
            }
            for worker in workers
        }

    def details(self, worker: Worker) -> Mapping[str, Sequence[AuthorizationDetail]]:
        """By server: the `authorization_details` of its mandate."""
        return self._details[worker.name]

    def granted_tools(self, worker: Worker) -> list[str]:
        """The full names of the tools that it has in this run."""
        return [
            f"mcp__{server}__{detail['tool']}"
            for server, found in self.details(worker).items()
            for detail in found
            if detail["type"] == "mcp_tool"
        ]

    def hidden_tools(self, worker: Worker) -> list[str]:
        """Full names of tools that its servers list and it is not granted; servers that check mandates list none."""
        unchecking = [self._fleet.servers[name] for name in worker.servers if self._fleet.servers[name].minter is None]
        listed = [f"mcp__{server.name}__{tool}" for server in unchecking for tool in server.tools]
        return [tool for tool in listed if tool not in self.granted_tools(worker)]

    def tokens(self, worker: Worker) -> dict[str, str]:
        """A fresh mandate for each of its servers, by the environment variable that the server's headers name."""
        return {
            self._fleet.servers[server].mandate_variable: token
            for server, found in self.details(worker).items()
            if (token := self._token(worker, server, found))
        }

    def approval_token(self, worker: Worker, server: str) -> str:
        """A fresh mandate to request approvals on behalf of the worker; empty if the server checks none."""
        return self._token(worker, server, approval_details(self.details(worker)[server]))

    def call_token(self, subject: str, call: ToolCall, arguments: Mapping[str, JsonValue]) -> str:
        """A fresh mandate for one call that the run makes itself, within the playbook's scope.

        Raises:
            Failure: `denied_by_rule`; `mandates_ignored`: its server checks none.
        """
        assert call.server, "checked when the config was loaded"
        server = self._fleet.servers[call.server]
        if server.minter is None:
            message = f"{call.tool} is to be called within a mandate, and {server.name} checks none."
            raise Failure("mandates_ignored", message, "Start it with --mandate-keys.")
        detail = call_detail(call.tool, arguments, self._facts, self._rules)
        return server.mandate(subject, [detail], self.scopes.get(server.name), _MARGIN_S)

    def lifetime_s(self, worker: Worker) -> float:
        """Seconds that its tokens are valid: as long as a session of it can last, at most what servers accept."""
        limits = worker.limits.with_defaults(self._limits.session)
        wait_s = SESSION_WAIT_S if self._limits.session_wait_s is None else self._limits.session_wait_s
        return min((limits.wall_clock_s or MAX_LIFETIME_S) + wait_s + _MARGIN_S, MAX_LIFETIME_S)

    def _token(self, worker: Worker, server: str, found: Sequence[AuthorizationDetail]) -> str:
        lifetime_s = self.lifetime_s(worker)
        return self._fleet.servers[server].mandate(worker.name, found, self.scopes.get(server), lifetime_s)

    def _check_enforced(
        self, worker: Worker, server: str, found: list[AuthorizationDetail]
    ) -> list[AuthorizationDetail]:
        needs_mandate = server in self.scopes or any({"arguments", "approval"} & set(detail) for detail in found)
        if needs_mandate and self._fleet.servers[server].minter is None:
            message = f"{worker.name} has bounds, a scope or a rule on {server}, which does not check mandates."
            raise Failure("mandates_ignored", message, "Start it with --mandate-keys, or take them out.")
        return found

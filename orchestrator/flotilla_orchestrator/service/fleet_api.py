"""The fleet as it is: what runs have used, who works on the queue, and the servers."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import JsonValue

from ..config.fleet import Server
from ..errors import Failure
from ..fleet.approvals import answer_within
from ..fleet.circuit_breaker import Circuit, CircuitBreaker
from ..fleet.connection import ServerConnection
from ..journal.stats import stats
from ..mandates.claims import APPROVAL_TOOLS, ISSUER, tool_details
from ..runs.workers import WorkerState, worker_states
from .bodies import PlaybookName
from .callers import Reader
from .problems import AsciiJson, documented
from .records import Shape
from .resources import Resources, ServiceResources

if TYPE_CHECKING:
    from mcp.types import Tool as Listed

router = APIRouter(prefix="/v1", tags=["fleet"])
_PROBE_S = 10


class Stats(Shape):
    """As `flotilla stats --json` tells them."""

    since: str | None
    playbook: str | None
    runs: list[dict[str, JsonValue]]
    sessions: list[dict[str, JsonValue]]
    calls: list[dict[str, JsonValue]]
    approvals: dict[str, int]


class Workers(Shape):
    items: list[WorkerState]


class ServerShape(Shape):
    """A server of the fleet. `mandates`: it checks them; `error`: why it is not well; `circuit`: if it has failed."""

    server: str
    local: bool
    healthy: bool
    mandates: bool | None
    tools: list[str]
    error: dict[str, JsonValue] | None
    circuit: dict[str, JsonValue] | None


class ServersShape(Shape):
    items: list[ServerShape]


@router.get("/stats", summary="What runs have used", response_model=Stats, responses=documented())
async def get_stats(
    _: Reader,
    resources: Resources,
    days: Annotated[int | None, Query(ge=1, le=10_000, description="runs started in the last so many days")] = None,
    playbook: PlaybookName | None = None,
) -> Response:
    """Success, latency and cost by playbook, worker and tool."""
    return AsciiJson(await resources.journal.query(stats, days, playbook))


@router.get("/workers", summary="Who works on the queue", response_model=Workers, responses=documented())
async def get_workers(_: Reader, resources: Resources) -> Response:
    """The processes that have something to do, and (beside a SQLite database) the idle ones."""
    found = await worker_states(resources.home, resources.queue.client)
    return AsciiJson({"items": [asdict(worker) for worker in found]})


@router.get("/servers", summary="The servers of the fleet", response_model=ServersShape, responses=documented())
async def get_servers(_: Reader, resources: Resources) -> Response:
    """Whether each answers, the tools that runs can be given, and its circuit. A local one is started to see that."""
    return AsciiJson({"items": [state.as_dict() for state in await server_states(resources)]})


@dataclass(frozen=True)
class ServerState:
    """A server of the fleet, as it answers now.

    Attributes:
        mandates: it checks them; None: it did not answer.
        tools: what it lists of the tools that runs can be given.
        error: why it is not well.
        circuit: if it has failed since it last answered.
    """

    server: str
    local: bool
    mandates: bool | None = None
    tools: "Sequence[Listed]" = ()
    error: Failure | None = None
    circuit: Circuit | None = None

    def as_dict(self) -> dict[str, Any]:
        """As `ServerShape`."""
        return {
            "server": self.server,
            "local": self.local,
            "healthy": self.error is None,
            "mandates": self.mandates,
            "tools": [tool.name for tool in self.tools],
            "error": self.error and self.error.as_dict(),
            "circuit": self.circuit and self.circuit.as_dict(),
        }


async def server_states(resources: ServiceResources) -> list[ServerState]:
    """Of each server of the fleet; a local one is started to see that."""
    fleet = resources.config.fleet
    circuits = await CircuitBreaker(resources.journal.database, fleet.limits.breaker).circuits()
    by_server = {circuit.server: circuit for circuit in circuits}
    names = sorted(fleet.servers)
    found = await asyncio.gather(*(_server(resources, name, fleet.servers[name]) for name in names))
    return [replace(one, circuit=by_server.get(one.server)) for one in found]


async def _server(resources: ServiceResources, name: str, server: Server) -> ServerState:
    state = ServerState(name, server.command is not None)
    try:
        found, listed = await _answering(resources, name)
    except Failure as failure:
        return replace(state, error=failure)
    by_name = {tool.name: tool for tool in listed}
    tools = [by_name[tool] for tool in sorted(set(found.tools) - set(APPROVAL_TOOLS)) if tool in by_name]
    return replace(state, mandates=found.minter is not None, tools=tools)


async def _answering(resources: ServiceResources, name: str) -> "tuple[ServerConnection, Sequence[Listed]]":
    """Raises Failure: it does not."""
    if resources.connect is None:
        raise Failure("server_unavailable", "No process is at work here that would ask it.")
    found = await resources.connect(name)
    async with answer_within(name, _PROBE_S):
        return found, await found.list_tools(found.mandate(ISSUER, tool_details(sorted(found.tools))))

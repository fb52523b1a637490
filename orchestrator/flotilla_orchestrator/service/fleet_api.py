"""The fleet as it is: what runs have used, who works on the queue, and the servers."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import JsonValue

from ..config.fleet import Server
from ..errors import Failure
from ..fleet.approvals import answer_within
from ..fleet.circuit_breaker import CircuitBreaker
from ..fleet.connection import ServerConnection
from ..journal.stats import stats
from ..mandates.claims import APPROVAL_TOOLS, ISSUER, tool_details
from ..runs.workers import worker_states
from .bodies import PlaybookName
from .callers import Reader
from .problems import AsciiJson, documented
from .records import Shape
from .resources import Resources, ServiceResources

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


class WorkerShape(Shape):
    """A process that works on queued runs. One that is not alive is taken over by the others."""

    executor_id: str
    alive: bool
    runs: int
    sessions: int


class Workers(Shape):
    items: list[WorkerShape]


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
    fleet = resources.config.fleet
    circuits = await CircuitBreaker(resources.journal.database, fleet.limits.breaker).circuits()
    by_server = {circuit.server: circuit.as_dict() for circuit in circuits}
    names = sorted(fleet.servers)
    found = await asyncio.gather(*(_server(resources, name, fleet.servers[name]) for name in names))
    return AsciiJson({"items": [{**one, "circuit": by_server.get(one["server"])} for one in found]})


async def _server(resources: ServiceResources, name: str, server: Server) -> dict[str, Any]:
    said: dict[str, Any] = {"server": name, "local": server.command is not None}
    try:
        found = await _answering(resources, name)
    except Failure as failure:
        return {**said, "healthy": False, "mandates": None, "tools": [], "error": failure.as_dict()}
    tools = sorted(set(found.tools) - set(APPROVAL_TOOLS))
    return {**said, "healthy": True, "mandates": found.minter is not None, "tools": tools, "error": None}


async def _answering(resources: ServiceResources, name: str) -> ServerConnection:
    """Raises Failure: it does not."""
    if resources.connect is None:
        raise Failure("server_unavailable", "No process is at work here that would ask it.")
    found = await resources.connect(name)
    async with answer_within(name, _PROBE_S):
        await found.list_tools(found.mandate(ISSUER, tool_details(sorted(found.tools))))
    return found

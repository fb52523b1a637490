"""The fleet page: servers with their health, tools and circuits, and workers with what their mandates name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import JsonValue

from ..config.playbooks import Playbook
from ..config.workers import Worker
from ..errors import Failure
from ..fleet.fleet import Fleet
from ..fleet.run_mandates import RunMandates
from ..mandates.claims import RunFacts
from ..runs.workers import worker_states
from ..service.callers import Reader
from ..service.fleet_api import ServerState, server_states
from ..service.resources import Resources, ServiceResources
from ..views.mandate_text import bound_text
from ..views.show_mandate import MandateView, show, tool_bytes
from .pages import render
from .sessions import PREFIX

router = APIRouter(prefix=f"{PREFIX}/fleet")


@dataclass(frozen=True)
class ServerRow:
    """A server as the page lists it; `tools`: name, whether it only reads, and what it costs a model in bytes."""

    state: ServerState
    tools: Sequence[tuple[str, bool, int]]

    @property
    def bytes(self) -> int:
        return sum(size for _, _, size in self.tools)


@dataclass(frozen=True)
class WorkerRow:
    """A worker as the page lists it; `bytes` is None where one of its servers does not answer."""

    worker: Worker
    tools: int
    bytes: int | None
    playbooks: Sequence[str]


class _NoFacts(RunFacts):
    """Those of no run in particular: templates stand for themselves."""

    def render(self, value: JsonValue) -> JsonValue:
        return value

    def is_known(self, value: JsonValue) -> bool:
        return False


@router.get("")
async def fleet_page(request: Request, _: Reader, resources: Resources) -> Response:
    servers = [_server_row(state) for state in await server_states(resources)]
    sizes = {row.state.server: {name: size for name, _, size in row.tools} for row in servers if not row.state.error}
    workers = [_worker_row(resources, worker, sizes) for _, worker in sorted(resources.config.workers.items())]
    processes = await worker_states(resources.home, resources.queue.client)
    return render(request, "fleet.html", servers=servers, workers=workers, processes=processes)


@router.get("/workers/{name}")
async def worker_page(
    request: Request,
    name: str,
    _: Reader,
    resources: Resources,
    playbook: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """What its servers list for its mandate; inputs of a run are not known, so templates stay as they are."""
    config = resources.config
    if (worker := config.workers.get(name)) is None:
        raise Failure("not_found", "There is no such worker.", "See the fleet.")
    names = _playbooks(resources, worker)
    chosen = config.playbooks[playbook] if playbook in names else config.playbooks[names[0]] if names else None
    mandate: MandateView | None = None
    failure: Failure | None = None
    try:
        mandate = await _mandate(resources, worker, chosen)
    except Failure as found:
        failure = found
    context: dict[str, Any] = {
        "worker": worker,
        "mandate": mandate,
        "failure": failure,
        "playbooks": names,
        "chosen": chosen,
    }
    return render(request, "worker.html", bound_text=bound_text, **context)


async def _mandate(resources: ServiceResources, worker: Worker, playbook: Playbook | None) -> MandateView:
    """Raises Failure: a server does not answer, or the mandate cannot be made."""
    if resources.connect is None:
        raise Failure("server_unavailable", "No process is at work here that would ask the servers.")
    fleet = Fleet({name: await resources.connect(name) for name in worker.servers})
    fleet.require_tools([worker])
    mandates = RunMandates(resources.config, fleet, _NoFacts({}), playbook, [worker])
    return await show(resources.config, worker, playbook, fleet, mandates)


def _server_row(state: ServerState) -> ServerRow:
    tools = [
        (tool.name, bool(tool.annotations and tool.annotations.read_only_hint), tool_bytes(state.server, tool))
        for tool in state.tools
    ]
    return ServerRow(state, tools)


def _worker_row(resources: ServiceResources, worker: Worker, sizes: Mapping[str, Mapping[str, int]]) -> WorkerRow:
    named = [(server, tool) for server in worker.servers for tool in worker.tools_on(server)]
    found = [sizes.get(server, {}).get(tool) for server, tool in named]
    total = sum(size for size in found if size is not None)
    return WorkerRow(worker, len(named), None if None in found else total, _playbooks(resources, worker))


def _playbooks(resources: ServiceResources, worker: Worker) -> list[str]:
    config = resources.config
    return [name for name, playbook in sorted(config.playbooks.items()) if worker in config.team(playbook)]

"""What the routes work with."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from ..config.config import Config
from ..fleet.connection import ServerConnection
from ..journal.journal import Journal
from ..runs.run_queue import RunQueue

if TYPE_CHECKING:
    from ..telemetry.run_traces import RunTraces

_MOST_STARTS = 2


@dataclass(frozen=True)
class ServiceResources:
    """Of one process.

    Attributes:
        configs: the config folder, as runs are told it.
        environ: of this process; says whether there is a credential for Claude.
        connect: reaches a server of the fleet, or starts it; raises Failure. None: nothing is at work here.
        starting: bounds how many local servers are started for approvals at once: each is a process.
        stopping: set once the process is told to end; what streams ends then.
        traces: where they are asked for.
    """

    config: Config
    home: Path
    journal: Journal
    queue: RunQueue
    environ: Mapping[str, str]
    connect: Callable[[str], Awaitable[ServerConnection]] | None = None
    starting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_STARTS))
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    traces: "RunTraces | None" = None

    @property
    def configs(self) -> str:
        return str(self.config.folder.absolute())


async def _resources(request: Request) -> ServiceResources:
    """Asynchronous, as FastAPI calls others in a thread."""
    return request.app.state.resources


Resources = Annotated[ServiceResources, Depends(_resources)]

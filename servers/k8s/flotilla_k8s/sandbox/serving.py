"""A sandbox that listens, by default on loopback: over TLS, because clients send no token over plain HTTP."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from . import certificates, kubeconfig, sample
from .access.users import Users
from .app import App
from .cluster import Cluster, Options
from .controllers.manager import Manager
from .faults import Faults


@dataclass(frozen=True)
class Running:
    """A sandbox that answers."""

    url: str
    kubeconfigs: dict[str, Path]
    """By user name: `sandbox-admin`, `viewer`, `team-a-editor`."""
    cluster: Cluster
    faults: Faults


@asynccontextmanager
async def sandbox(options: Options, file: Path, port: int = 0, host: str = "127.0.0.1") -> AsyncGenerator[Running]:
    """A sandbox that listens and has written its kubeconfig, until the block ends.

    Args:
        host: where it listens, and what its certificate and the kubeconfig call it.

    Raises:
        OSError: the port is taken, the host is not here, or the file cannot be written.
    """
    cluster, users, faults = Cluster(options), Users(), Faults()
    manager = Manager(cluster)
    sample.fill(cluster, manager)
    certificate = certificates.self_signed(host)
    listener = socket.create_server((host, port), backlog=512)
    # asyncio does this only for sockets whose protocol number is given; without it an answer of two parts takes 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    url = f"https://{host}:{listener.getsockname()[1]}"
    files = kubeconfig.write(file, url, certificate.pem, users)
    server = _Server(App(cluster, users, faults), certificate.context)
    serving = asyncio.create_task(server.serve([listener]))
    working = asyncio.create_task(manager.run())
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110  uvicorn offers no event for it
            await asyncio.sleep(0.005)
        yield Running(url, files, cluster, faults)
    finally:
        server.should_exit = True
        server.cut_off()
        await serving
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn, which leaves signals to whoever started the loop."""

    def __init__(self, app: App, context: Callable[[], ssl.SSLContext]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=1,
                timeout_keep_alive=60,
                ssl_context_factory=lambda _config, _default: context(),
            )
        )

    def cut_off(self) -> None:
        """End all connections at once: over TLS, waiting for an idle client to agree takes half a minute."""
        for each in list(self.server_state.connections):
            each.transport.abort()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

"""Two processes of a server over one PostgreSQL database, behind one address, each restarted as Kubernetes does it."""

import signal
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from . import programs
from .forwarder import Forwarder, forwarder
from .postgres import fresh_database
from .processes import Running, clean_environment, http_server

_POLICY = {"billing": ("--refund-approval-above-minor", "1"), "crm": ("--log-activity-approval", "never")}


class ServerReplicas:
    """Those of one server.

    Args:
        home: the orchestrator's, whose mandates and approvers they take.
    """

    def __init__(self, name: str, home: Path, database: str, front: Forwarder) -> None:
        self.name, self.database, self.front = name, database, front
        self._home = home
        self._running: dict[int, tuple[ExitStack, Running]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.front.port}/mcp"

    def start(self, number: int) -> None:
        keys = self._home / "keys" / "public.json", self._home / f"{self.name}-approvers.json"
        flags = ["--mandate-keys", str(keys[0]), *(["--approver-keys", str(keys[1])] if keys[1].exists() else [])]
        stack, environment = ExitStack(), {"DATABASE_URL": self.database}
        folder = self._home / f"{self.name}-{number}"
        flags += ["--demo-data", *_POLICY.get(self.name, ())]
        server = http_server(self.name, folder, *flags, environment=environment, tokens=True)
        self._running[number] = stack, stack.enter_context(server)
        self._publish()

    def restart(self, number: int) -> None:
        """No new connection goes to it; then SIGTERM, which it is to heed by itself; then another one."""
        stack, ended = self._running.pop(number)
        self._publish()
        ended.process.terminate()
        code = ended.process.wait(60)
        assert code == -signal.SIGTERM, f"{self.name} ended with {code}"  # uvicorn raises it again once it is done
        stack.close()
        self.start(number)

    def stop(self) -> None:
        for stack, _ in self._running.values():
            stack.close()

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """Of its database."""
        with psycopg.connect(self.database) as books:
            return books.execute(statement.encode()).fetchall()

    def verify(self) -> None:
        """The audit's chain holds, by the server's own sub-command."""
        words, environ = (f"flotilla-{self.name}", "audit", "verify", "--json"), {"DATABASE_URL": self.database}
        done = programs.run(*words, environ=clean_environment(self._home, environ), folder=self._home)
        assert done.returncode == 0, done.stdout + done.stderr

    def _publish(self) -> None:
        self.front.backends = tuple(urlsplit(running.url).port or 0 for _, running in self._running.values())


@contextmanager
def server_replicas(names: Sequence[str], home: Path, cluster: str) -> Generator[dict[str, ServerReplicas]]:
    """Two of each of these servers, with databases of their own in the cluster, while the block lasts."""
    with ExitStack() as stack:
        found = dict[str, ServerReplicas]()
        for name in names:
            database = stack.enter_context(fresh_database(cluster, f"{name}_{home.parent.name}"))
            replicas = found[name] = ServerReplicas(name, home, database, stack.enter_context(forwarder()))
            stack.callback(replicas.stop)
            for number in (1, 2):
                replicas.start(number)
        yield found

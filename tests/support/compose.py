"""compose.yaml at work: brought up with podman-compose under a name of its own, its processes killed, taken down."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2

from .container_images import ROOT, STAND_IN_PROMETHEUS, TAG, environment, podman, postgres_image

UP_S = 240
SERVICES = ("setup", "postgres", "billing", "crm", "memory", "k8s-sandbox", "k8s", "orchestrator")


class ComposedFleet:
    """The fleet of one project.

    Args:
        overlays: of deploy/compose, by name.
    """

    def __init__(self, project: str, port: int, overlays: Sequence[str] = ()) -> None:
        self.project, self.port = project, port
        self._files = [ROOT / "compose.yaml", *(ROOT / "deploy" / "compose" / f"{name}.yaml" for name in overlays)]
        names = {
            "FLOTILLA_IMAGES": "localhost/flotilla",
            "FLOTILLA_TAG": TAG,
            "POSTGRES_IMAGE": postgres_image(),
            "PROMETHEUS_IMAGE": STAND_IN_PROMETHEUS,
        }
        self._environment = {**environment(), **names, "FLOTILLA_PORT": str(port)}
        self._tokens: dict[str, str] = {}

    def compose(self, *words: str) -> str:
        files = [word for file in self._files for word in ("-f", str(file))]
        called = ["podman-compose", *files, "-p", self.project, *words]
        done = subprocess.run(called, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=UP_S)
        assert done.returncode == 0, f"{' '.join(called)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def container(self, service: str) -> str:
        return f"{self.project}_{service}_1"

    def setup(self, *words: str) -> str:
        """What the one-shot service prints."""
        said = self.compose("run", "--rm", "--no-deps", "setup", *words).strip().splitlines()
        return [line for line in said if not line.startswith("exit code")][-1]  # podman-compose's own last line

    def execute(self, service: str, *words: str) -> str:
        return podman("exec", self.container(service), *words).strip()

    def token(self, name: str, *scopes: str) -> str:
        """A token of the API, made once for each name."""
        if name not in self._tokens:
            flags = [word for scope in scopes for word in ("--scope", scope)]
            said = self.execute("orchestrator", "flotilla", "tokens", "add", name, *flags)
            self._tokens[name] = said.splitlines()[-1]
        return self._tokens[name]

    def api(self, token: str, approver: str = "") -> httpx2.Client:
        headers = {"Authorization": f"Bearer {token}", **({"Flotilla-Approver-Token": approver} if approver else {})}
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=60, trust_env=False)

    def inspect(self, service: str) -> dict[str, Any]:
        return json.loads(podman("container", "inspect", self.container(service)))[0]

    def kill(self, service: str) -> None:
        """SIGKILL to its first process, as when memory runs out; its restart policy starts it again."""
        pid = self.inspect(service)["State"]["Pid"]
        os.kill(pid, signal.SIGKILL)
        self.wait(f"{service} to be started again", lambda: self.inspect(service)["State"]["Pid"] not in (0, pid))

    def wait(self, until: str, reached: Any, seconds: float = UP_S) -> Any:
        """What `reached` returns, once that is something."""
        end, failure = time.monotonic() + seconds, "nothing"
        while time.monotonic() < end:
            try:
                if found := reached():
                    return found
            except (httpx2.TransportError, AssertionError) as error:
                failure = repr(error)[:500]
            time.sleep(0.5)
        logs = {name: self._logs(name) for name in SERVICES}
        raise TimeoutError(f"waited {seconds} s for {until}; last: {failure}; {json.dumps(logs, indent=1)}")

    def _logs(self, service: str) -> str:
        """The last of what it has printed; most of them write to stderr."""
        command = ["podman", "logs", "--tail", "5", self.container(service)]
        said = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._environment
        )
        return said.stdout[-1500:]

    def ready(self) -> None:
        """Return once all of its processes answer, databases included, and the servers are found by name."""
        code = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/readyz', timeout=4).status)"
        for service in ("billing", "crm", "memory", "k8s", "orchestrator"):
            self.wait(f"{service} to be ready", lambda each=service: self.execute(each, "python", "-c", code) == "200")
        code = (
            "import sys, urllib.request as r; print(r.urlopen(f'http://{sys.argv[1]}:8000/healthz', timeout=4).status)"
        )
        for service in ("billing", "crm", "memory", "k8s"):

            def found(name: str = service) -> bool:
                return self.execute("orchestrator", "python", "-c", code, name) == "200"

            self.wait(f"{service} to be found", found)

    def query(self, database: str, statement: str) -> str:
        """A value of a server's database, asked of PostgreSQL itself."""
        words = ("psql", "--username", "postgres", "--dbname", database, "--tuples-only", "--no-align", "-c", statement)
        return self.execute("postgres", *words)

    @contextmanager
    def locked(self, database: str, table: str, mode: str) -> Generator[Callable[[], bool]]:
        """Nobody gets past a lock of a table until the block ends, or PostgreSQL; yields whether somebody waits."""
        asked = f"dbname={database} user=postgres application_name=holder"
        statements = ("BEGIN", f"LOCK TABLE {table} IN {mode} MODE", "SELECT pg_sleep(600)")
        words = [
            "podman",
            "exec",
            self.container("postgres"),
            "psql",
            asked,
            *(w for s in statements for w in ("-c", s)),
        ]
        holder = subprocess.Popen(words, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = "SELECT count(*) > 0 FROM pg_stat_activity WHERE"
        try:
            holds = f"{found} application_name = 'holder' AND wait_event = 'PgSleep'"
            self.wait(f"{table} to be locked", lambda: self.query(database, holds) == "t")
            waits = f"{found} datname = '{database}' AND wait_event_type = 'Lock'"
            yield lambda: self.query(database, waits) == "t"
        finally:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'"
            self.wait("PostgreSQL to answer", lambda: [self.query(database, ended)])
            holder.wait(30)

    def run_state(self, run_id: str, token: str) -> str:
        with self.api(token) as client:
            found = client.get("/v1/runs", params={"limit": 100})
            assert found.status_code == 200, found.text
            (state,) = [run["state"] for run in found.json()["items"] if run["run_id"] == run_id]
            return state


@contextmanager
def composed_fleet(project: str, *overlays: str) -> Generator[ComposedFleet]:
    """The whole fleet, until the block ends; then nothing of it is left but its images."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    fleet = ComposedFleet(project, port, overlays)
    try:
        fleet.compose("up", "-d", *SERVICES)
        fleet.ready()
        yield fleet
    finally:
        label = f"label=io.podman.compose.project={project}"
        for kind, remove in (
            ("ps", ("rm", "-f", "-t", "0", "-v")),
            ("volume", ("volume", "rm", "-f")),
            ("network", ("network", "rm", "-f")),
        ):
            listed = podman(*(("ps", "-aq") if kind == "ps" else (kind, "ls", "-q")), "--filter", label, check=False)
            if names := listed.split():
                podman(*remove, *names, check=False)

"""A real PostgreSQL of the test run's own: Debian's binaries, or those in the pgserver wheel."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, or None."""
    found = [Path(path).parent for name in ("initdb",) if (path := shutil.which(name))]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (spec := find_spec("pgserver")) and spec.origin:
        found.append(Path(spec.origin).parent / "pginstall" / "bin")
    return next((folder for folder in found if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


class Cluster:
    """A cluster in `folder` (a short path: it holds the socket). Its server can be killed and started again."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.address = f"postgresql://flotilla@/postgres?host={folder}"
        self._folder, self._log = folder, folder / "log"
        folder.mkdir(parents=True, exist_ok=True)
        as_user = _unprivileged(folder)
        initdb = ("-D", folder / "data", "-U", "flotilla", "-A", "trust", "-E", "UTF8", "--no-sync")
        subprocess.run([*as_user, bin_folder / "initdb", *initdb], check=True, stdout=subprocess.DEVNULL)
        self._command = [*as_user, bin_folder / "postgres", "-D", folder / "data"]
        self._server: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> None:
        """Return once it answers; `settings` are beside its own, until it is killed."""
        own = {"listen_addresses": "", "unix_socket_directories": str(self._folder), "max_connections": "200"}
        flags = [f"--{name.replace('__', '.')}={value}" for name, value in {**own, **settings}.items()]
        with self._log.open("a") as log:
            self._server = subprocess.Popen([*self._command, *flags], stdout=log, stderr=log)
        _wait_until_it_answers(self._server, self.address, self._log)

    def kill(self) -> None:
        """SIGKILL to all of its processes, as when the first one of its container is killed."""
        if self._server is None or self._server.poll() is not None:
            return
        os.kill(self._server.pid, signal.SIGSTOP)  # it starts no more of them
        children = _children(self._server.pid)
        for pid in (self._server.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait(30)
        while any(map(_lives, children)):  # they hold the memory that another server is refused
            time.sleep(0.01)

    def stop(self) -> None:
        """Let it end by itself."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(30)


@contextmanager
def cluster(bin_folder: Path) -> Generator[Cluster]:
    """A running cluster."""
    # Not in a test's folder, which is closed to other users; and a socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="flotilla-pg-"))
    folder.chmod(0o755)
    try:
        running = Cluster(folder, bin_folder)
        running.start()
        yield running
        running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_database(address: str, name: str) -> Generator[str]:
    """A new empty database in the cluster; dropped at the end."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield address.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _unprivileged(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root; what to put before its commands."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "nobody")
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until_it_answers(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    while server.poll() is None:
        try:
            psycopg.connect(address, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            try:
                server.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
    raise RuntimeError(f"PostgreSQL ended: {log.read_text()}")

"""A real PostgreSQL of the test run's own: Debian's binaries, or those in the pgserver wheel."""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
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


@contextmanager
def cluster(folder: Path, bin_folder: Path) -> Generator[str]:
    """A running cluster in `folder` (a short path: it holds the socket); yields its `postgres` database's address."""
    folder.mkdir(parents=True, exist_ok=True)
    as_user = _unprivileged(folder)
    data = folder / "data"
    subprocess.run(
        [*as_user, bin_folder / "initdb", "-D", data, "-U", "flotilla", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    settings = {"listen_addresses": "", "unix_socket_directories": str(folder), "max_connections": "200"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*as_user, bin_folder / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())],
            stdout=log,
            stderr=log,
        )
    address = f"postgresql://flotilla@/postgres?host={folder}"
    try:
        _wait_until_it_answers(server, address, folder / "log")
        yield address
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def fresh_database(address: str, name: str) -> Generator[str]:
    """A new empty database in the cluster; dropped at the end."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield address.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _unprivileged(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root; what to put before its commands."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "nobody")
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]


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

"""A PostgreSQL of a benchmark's own, where one is installed."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg

START_S = 60


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found += [Path(program).parent for program in [shutil.which("initdb")] if program]
    return next((folder for folder in found if (folder / "postgres").exists()), None)


@contextmanager
def database(bin_folder: Path) -> Generator[str]:
    """The address of an empty database with the settings that PostgreSQL comes with."""
    folder = Path(tempfile.mkdtemp(prefix="flotilla-pg-"))  # a short path: it holds the socket
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "nobody")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
    data, socket = folder / "data", f"--unix_socket_directories={folder}"
    initdb = [*as_user, bin_folder / "initdb", "-D", data, "-U", "flotilla", "-A", "trust", "-E", "UTF8"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL)
    with (folder / "log").open("w") as log:
        command = [*as_user, bin_folder / "postgres", "-D", data, "--listen_addresses=", socket]
        server = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"postgresql://flotilla@/postgres?host={folder}"
    try:
        _wait(server, address)
        yield address
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: "subprocess.Popen[bytes]", address: str) -> None:
    ends = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < ends:
        try:
            psycopg.connect(address, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise RuntimeError("PostgreSQL does not start")

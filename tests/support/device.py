"""A light in a process of its own that makes a change for every request: it does not deduplicate by reference.

It keeps a row for every change, so a test can count; it can be slow, drop the connection, fail, refuse, and be killed.
"""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import sleep
from urllib.request import urlopen

from .json_server import JsonHandler, serve, started

LATE_S = 1.5  # longer than the servers of the proofs wait for an answer, shorter than they wait before they repeat


@dataclass(frozen=True)
class DeviceProcess:
    """A running device and what it has done."""

    url: str
    database: Path
    process: "subprocess.Popen[str]"

    def changes(self) -> list[tuple[str, bool]]:
        """Every change it ever made: reference and whether the light went on."""
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute('SELECT reference, "on" FROM changes ORDER BY rowid')
            return [(reference, bool(on)) for reference, on in rows]

    def misbehave(self, how: str, times: int = 1) -> None:
        """What the next changes meet: `slow`, `late`, `drop`, `fail_before`, `fail_after`, `refuse`."""
        body = json.dumps({"how": how, "times": times}).encode()
        urlopen(f"{self.url}/misbehave", body, timeout=10).close()  # the standard library's: the device starts at once


@contextmanager
def device_process(folder: Path, port: int = 0) -> Generator[DeviceProcess]:
    """Start a device with its records in `folder`; the same folder continues an earlier one's."""
    database = folder / "device.db"
    with started("support.device", database, port) as (url, process):
        yield DeviceProcess(url, database, process)


class _Handler(JsonHandler):
    database: Path
    lock = Lock()
    misbehaviour: list[str] = []  # noqa: RUF012  one process, one device

    def do_POST(self) -> None:
        body = self.read()
        if self.path == "/misbehave":
            self.misbehaviour.extend([body["how"]] * body["times"])
            return self.answer(200, {})
        with self.lock:
            how = self.misbehaviour.pop(0) if self.misbehaviour else ""
        if how == "fail_before":
            return self.answer(500, {})
        if how == "refuse":
            return self.answer(409, {})
        if how == "late":
            sleep(LATE_S)
        with self.lock, closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("INSERT INTO changes VALUES (?, ?)", (body["reference"], body["on"]))
        if how == "slow":
            sleep(LATE_S)
        if how == "drop":
            self.close_connection = True
            return None
        return self.answer(500 if how == "fail_after" else 200, {"on": body["on"]})

    def do_GET(self) -> None:
        _, kind, *reference = self.path.split("/")
        query = 'SELECT "on" FROM changes'
        if kind == "changes":
            query += " WHERE reference = ?"
        with closing(sqlite3.connect(self.database)) as connection:
            row = connection.execute(f"{query} ORDER BY rowid DESC LIMIT 1", reference).fetchone()
        if kind == "changes" and row is None:
            return self.answer(404, {})
        return self.answer(200, {"on": bool(row and row[0])})


def main() -> None:
    _Handler.database = Path(sys.argv[1])
    with closing(sqlite3.connect(_Handler.database)) as connection, connection:
        connection.execute('CREATE TABLE IF NOT EXISTS changes (reference TEXT, "on" INTEGER)')
    serve(_Handler, int(sys.argv[2]))


if __name__ == "__main__":
    main()

"""A payment gateway in a process of its own, with its own books: it can be slow, fail after committing, and be killed.

It accepts a key again without a second effect, as Stripe does, and keeps a row for every effect, so a test can count.
"""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import sleep

import httpx2
from flotilla_billing.gateway import GatewayRefund, GatewayRequest, OutcomeUnknown

from .json_server import JsonHandler, serve, started

TIMEOUT_S = 1.0


@dataclass(frozen=True)
class GatewayProcess:
    """A running gateway and what it has done."""

    url: str
    database: Path
    process: "subprocess.Popen[str]"

    def effects(self) -> list[tuple[str, str, int]]:
        """Every refund it ever made: key, transaction, amount."""
        with closing(sqlite3.connect(self.database)) as connection:
            return list(connection.execute("SELECT key, transaction_id, amount_minor FROM refunds ORDER BY rowid"))

    def misbehave(self, how: str, times: int = 1) -> None:
        """The next `times` refunds: `slow`, `fail_before`, `fail_after`, `decline`; 0 forgets what was planned."""
        httpx2.post(f"{self.url}/misbehave", json={"how": how, "times": times}).raise_for_status()

    def forget_keys(self) -> None:
        """Do as Stripe may after a day: an old key is like a new one. The refunds stay."""
        httpx2.post(f"{self.url}/forget_keys", json={}).raise_for_status()


@contextmanager
def gateway_process(folder: Path, port: int = 0) -> Generator[GatewayProcess]:
    """Start a gateway with its books in `folder`; the same folder continues an earlier one's."""
    database = folder / "gateway.db"
    with started("support.gateway", database, port) as (url, process):
        yield GatewayProcess(url, database, process)


class HttpGateway:
    """The `PaymentGateway` of that process: whatever is not a definite answer is unknown."""

    def __init__(self, url: str, *, fresh_keys: bool = False) -> None:
        self._url = url
        self._fresh_keys = fresh_keys
        self._attempts = 0

    async def refund(self, request: GatewayRequest) -> GatewayRefund:
        key = request.key
        if self._fresh_keys:  # the naive control: what a retry without a fixed key does
            key = f"{request.key}-{self._attempts}-{id(self)}-{asyncio.get_running_loop().time()}"
            self._attempts += 1
        body = {"key": key, "transaction_id": request.transaction_id, "amount_minor": request.amount_minor}
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT_S) as client:
                response = await client.post(f"{self._url}/refund", json=body)
        except httpx2.HTTPError as error:
            raise OutcomeUnknown from error
        if response.status_code >= 500:
            raise OutcomeUnknown
        answer = response.json()
        return GatewayRefund(answer["id"], answer["status"], answer.get("decline_reason"))

    async def find_refund(self, request: GatewayRequest) -> GatewayRefund | None:
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT_S) as client:
                response = await client.get(f"{self._url}/refunds/{request.key}")
        except httpx2.HTTPError as error:
            raise OutcomeUnknown from error
        return GatewayRefund(response.json()["id"], "succeeded") if response.status_code == 200 else None


class _Handler(JsonHandler):
    database: Path
    lock = Lock()
    misbehaviour: list[str] = []  # noqa: RUF012  one process, one gateway

    def do_POST(self) -> None:
        body = self.read()
        if self.path == "/misbehave":
            if not body["times"]:
                self.misbehaviour.clear()
            self.misbehaviour.extend([body["how"]] * body["times"])
            return self.answer(200, {})
        if self.path == "/forget_keys":
            with self.lock, closing(sqlite3.connect(self.database)) as connection, connection:
                connection.execute("DELETE FROM keys")
            return self.answer(200, {})
        with self.lock:
            how = self.misbehaviour.pop(0) if self.misbehaviour else ""
        if how == "fail_before":
            return self.answer(500, {})
        if how == "decline":
            return self.answer(402, {"id": f"gw_{body['key']}", "status": "declined", "decline_reason": "card closed"})
        with self.lock, closing(sqlite3.connect(self.database)) as connection, connection:
            if connection.execute("INSERT OR IGNORE INTO keys VALUES (?)", (body["key"],)).rowcount:
                connection.execute(
                    "INSERT INTO refunds VALUES (?, ?, ?)", (body["key"], body["transaction_id"], body["amount_minor"])
                )
        if how == "slow":
            sleep(TIMEOUT_S * 1.5)
        if how == "fail_after":
            return self.answer(500, {})
        return self.answer(200, {"id": f"gw_{body['key']}", "status": "succeeded"})

    def do_GET(self) -> None:
        key = self.path.rpartition("/")[2]
        with closing(sqlite3.connect(self.database)) as connection:
            known = connection.execute("SELECT 1 FROM refunds WHERE key = ?", (key,)).fetchone()
        self.answer(200 if known else 404, {"id": f"gw_{key}"})


def main() -> None:
    _Handler.database = Path(sys.argv[1])
    with closing(sqlite3.connect(_Handler.database)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY)")
        connection.execute("CREATE TABLE IF NOT EXISTS refunds (key TEXT, transaction_id TEXT, amount_minor INTEGER)")
    serve(_Handler, int(sys.argv[2]))


if __name__ == "__main__":
    main()

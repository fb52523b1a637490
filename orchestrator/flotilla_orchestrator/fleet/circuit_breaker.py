"""Circuit breakers: after several failures of a server in a row, sessions that need it fail at once for a while.

Their state is in the journal's database, shared by all runs and processes. Closed: sessions start. Open: they fail at
once. Half open, when the time is over: one session tries it. A call that succeeds closes it. (The pattern is Nygard's,
"Release It!", 2007.)
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from flotilla_kit.storage import Database
from pydantic import JsonValue
from sqlalchemy import Connection, text

from ..config.limits import BreakerLimits
from ..errors import Failure

_OUTAGE_CODES = {
    "store_unavailable",
    "timed_out",
    "server_unavailable",
}  # codes by which a server or its store is to blame
# Error texts of the CLI and of MCP clients for a server that is gone; a refusal has the fleet's shape.
_OUTAGE_TEXT = re.compile(
    r"\b(ECONN\w+|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|HTTP 50[234]|is not connected|connection (closed|lost)"
    r"|fetch failed|socket hang up|timed out)",
    re.IGNORECASE,
)
_ERROR_CHARS = 300


def is_outage(error: str) -> bool:
    """Whether a call's error says that the server is unreachable or broken, rather than that it refuses."""
    return _code_of(error) in _OUTAGE_CODES or error in _OUTAGE_CODES or is_lost(error)


def is_lost(error: str) -> bool:
    """Whether a call's error is none of the server's, to which the connection failed."""
    return _code_of(error) is None and bool(_OUTAGE_TEXT.search(error))


def _code_of(error: str) -> object:
    """The code of a fleet's error; None: it has another shape."""
    try:
        body: object = json.loads(error)
    except ValueError:
        return None
    return cast("dict[str, object]", body).get("code") if isinstance(body, dict) else None


@dataclass(frozen=True)
class Circuit:
    """The state of a server that has failed since it last answered."""

    server: str
    failures: int
    """In a row."""
    last_error: str
    retry_after_s: float
    """0: it is not open."""

    @property
    def state(self) -> str:
        return "open" if self.retry_after_s else "closed"

    def __str__(self) -> str:
        text_so_far = f"{self.server}: {self.failures} failures in a row, the last: {self.last_error}"
        return f"{text_so_far} (circuit open, for {self.retry_after_s:g} s more)" if self.retry_after_s else text_so_far

    def as_dict(self) -> dict[str, JsonValue]:
        return {
            "server": self.server,
            "state": self.state,
            "failures": self.failures,
            "last_error": self.last_error,
            "retry_after_s": self.retry_after_s,
        }


class CircuitBreaker:
    """The circuits of all servers."""

    def __init__(self, database: Database, limits: BreakerLimits, clock: Callable[[], float] = time.time) -> None:
        self._database, self._limits, self._clock = database, limits, clock

    async def record_failure(self, server: str, error: str) -> Circuit:
        """Count a failure of a server or its store; returns its circuit after that."""
        values = {"server": server, "error": error[:_ERROR_CHARS], "now": self._clock(), "limit": self._limits.failures}
        return self._circuit(await self._database.write(_record_failure, values))

    async def record_success(self, server: str) -> None:
        """Close the circuit: a call succeeded."""
        if await self._database.read(_rows, server):
            await self._database.write(_delete, server)

    async def check_closed(self, servers: Iterable[str]) -> None:
        """Check that a session that needs these servers may start.

        Raises:
            Failure: `server_circuit_open`, with `details` {server, failures, last_error, retry_after_s}.
        """
        for server in servers:
            found = await self._database.read(_rows, server)
            if found and found[0]["opened_at"] is not None:
                circuit = self._circuit(found[0])
                if circuit.retry_after_s or not await self._database.write(
                    _claim_trial, server, self._clock(), self._limits
                ):
                    raise self._open_failure(circuit)

    async def circuits(self) -> list[Circuit]:
        """Of every server that has failed since it last answered."""
        return [self._circuit(row) for row in await self._database.read(_rows, None)]

    def _circuit(self, row: Mapping[str, Any]) -> Circuit:
        since = max(row["opened_at"] or 0, row["tried_at"] or 0)
        left = since + self._limits.open_s - self._clock() if row["opened_at"] is not None else 0
        return Circuit(row["server"], row["failures"], row["last_error"], round(max(0, left), 1))

    def _open_failure(self, circuit: Circuit) -> Failure:
        body = {name: value for name, value in circuit.as_dict().items() if name != "state"}
        return Failure(
            "server_circuit_open",
            f"{circuit.server} failed {circuit.failures} times in a row and is left alone: {circuit.last_error}",
            f"Nothing was asked of the model. Try again in {circuit.retry_after_s:g} s, or do without it.",
            retryable=True,
            details=body,
        )


def _rows(connection: Connection, server: str | None) -> list[dict[str, Any]]:
    where, values = (" WHERE server = :server", {"server": server}) if server else ("", {})
    rows = connection.execute(text(f"SELECT * FROM breakers{where} ORDER BY server"), values)
    return [dict(row) for row in rows.mappings()]


def _record_failure(connection: Connection, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Count one more failure; from the limit on, each opens the circuit again."""
    connection.execute(
        text(
            "INSERT INTO breakers (server, failures, last_error) VALUES (:server, 1, :error) ON CONFLICT (server) "
            "DO UPDATE SET failures = breakers.failures + 1, last_error = excluded.last_error"
        ),
        values,
    )
    opens = "UPDATE breakers SET opened_at = :now, tried_at = NULL WHERE server = :server AND failures >= :limit"
    connection.execute(text(opens), values)
    return _rows(connection, values["server"])[0]


def _delete(connection: Connection, server: str) -> None:
    connection.execute(text("DELETE FROM breakers WHERE server = :server"), {"server": server})


def _claim_trial(connection: Connection, server: str, now: float, limits: BreakerLimits) -> bool:
    """Whether this session may try the server; only one may at a time."""
    tries = text(
        "UPDATE breakers SET tried_at = :now WHERE server = :server AND (tried_at IS NULL OR tried_at <= :before)"
    )
    return connection.execute(tries, {"now": now, "server": server, "before": now - limits.open_s}).rowcount == 1

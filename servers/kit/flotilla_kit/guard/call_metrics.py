"""Metrics of a server's calls, and of the approvals that wait there."""

import asyncio
import logging
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .. import approvals
from ..audit import Record
from ..storage import Database
from ..telemetry.metrics import OTHER, SECONDS, Bounded, ReadOnScrape, Registry

if TYPE_CHECKING:
    from prometheus_client.core import Metric

logger = logging.getLogger(__name__)
_MOST_PRINCIPALS = 100  # workers are few; who mints mandates could give each of them another name
_READ_S = 5
_METHODS = ("resources/read", "prompts/get")


class CallMetrics:
    """Counts the calls of one server, and the time that they take.

    A worker is told by its name; the owner and approvers are one each; names that do not exist are `other`.
    """

    def __init__(self, server: str, tools: Collection[str], registry: Registry) -> None:
        from prometheus_client import Counter, Histogram

        self._server, self._names, self._worker = server, frozenset([*tools, *_METHODS]), Bounded(_MOST_PRINCIPALS)
        labels = ("server", "tool", "principal", "outcome")
        counted = registry.counted
        self._calls = Counter("flotilla_tool_calls", "Calls by how they ended.", labels, registry=counted)
        about = "Time from a call's arrival to its answer."
        self._seconds = Histogram("flotilla_tool_seconds", about, labels[:2], buckets=SECONDS, registry=counted)

    def record(self, record: Record) -> None:
        tool = record.tool if record.tool in self._names else OTHER
        principal = self._worker(record.subject) if record.principal == "worker" else record.principal
        self._calls.labels(self._server, tool, principal, record.outcome).inc()
        self._seconds.labels(self._server, tool).observe(record.duration_us / 1e6)


def waiting_approvals(server: str, database: Database, loop: asyncio.AbstractEventLoop) -> ReadOnScrape:
    """The approvals of a server that wait, read in the event loop of its database."""

    def read() -> "Iterable[Metric]":
        from prometheus_client.core import GaugeMetricFamily

        try:
            reading = asyncio.run_coroutine_threadsafe(database.read(approvals.waiting, server), loop)
            number, since = reading.result(_READ_S)
        except Exception as error:  # noqa: BLE001  what does not depend on the store is told all the same
            logger.warning("approvals cannot be counted", extra={"reason": str(error)})
            return
        age_s = (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds() if since else 0.0
        for name, about, value in (
            ("flotilla_approvals_waiting", "Requests for approval that wait for a person.", float(number)),
            ("flotilla_approval_oldest_seconds", "How long the oldest of them has waited.", max(0.0, age_s)),
        ):
            gauge = GaugeMetricFamily(name, about, labels=["server"])
            gauge.add_metric([server], value)
            yield gauge

    return ReadOnScrape(read)

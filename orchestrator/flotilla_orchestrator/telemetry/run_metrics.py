"""The metrics of one orchestrator process: what it has done, and, read on each scrape, how things stand."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flotilla_kit.telemetry.metrics import OTHER, SECONDS, ReadOnScrape, metrics_served, new_registry

from ..journal.gauges import Gauges
from ..journal.journal import Span
from .served_request import ServedRequest
from .span_attributes import approval_wait_s

if TYPE_CHECKING:
    from prometheus_client.core import Metric

logger = logging.getLogger(__name__)
_READ_S = 5
_RUN_SECONDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0, 86400.0)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_MADE = ("ok", "failed")
_BY_THE_RUN = "run"  # who makes the calls after a run


@dataclass(frozen=True)
class Standing:
    """How things stand: of the journal, of this process, and of the servers, whose circuits are open or not."""

    journal: Gauges
    sessions: int
    circuits: Mapping[str, bool]


class RunMetrics:
    """A listener of the journal, and an observer of requests."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self._registry = new_registry()
        counted = self._registry.counted
        call, run = ("agent", "tool"), ("playbook",)
        about = "Calls of tools that were made, by agent and tool."
        self._calls = Counter("agent_tool_usage", about, call, registry=counted)
        about = "Time of a call from the model's request to its result, without the wait for an approval."
        self._call_s = Histogram("agent_tool_latency_seconds", about, call, buckets=SECONDS, registry=counted)
        about = "Runs that have ended, by how."
        self._runs = Counter("flotilla_runs_ended", about, (*run, "status"), registry=counted)
        about = "Time of a run from its beginning to its end, waits included."
        self._run_s = Histogram("flotilla_run_seconds", about, run, buckets=_RUN_SECONDS, registry=counted)
        about = "Cost of sessions that have ended, at list prices; a rehearsal costs nothing."
        self._cost = Counter("flotilla_cost_usd", about, (*run, "agent"), registry=counted)
        about = "Requests to the API."
        self._requests = Counter("flotilla_http_requests", about, ("method", "route", "status"), registry=counted)
        about = "Time to the end of an answer, without streams of events."
        route = ("method", "route")
        self._request_s = Histogram("flotilla_http_request_seconds", about, route, buckets=SECONDS, registry=counted)

    def __call__(self, span: Span) -> None:
        if not span.ended_at or span.status == "interrupted":
            return
        match span.kind:
            case "tool" | "delegate" if span.status in _MADE:  # what was denied may be any name
                labels = str(span.attributes.get("agent", _BY_THE_RUN)), span.name
                self._calls.labels(*labels).inc()
                self._call_s.labels(*labels).observe(max(0.0, span.seconds - approval_wait_s(span)))
            case "session":
                paid = span.attributes.get("model") != "rehearsal"
                cost = self._cost.labels(str(span.attributes.get("playbook", OTHER)), span.name)
                cost.inc((span.cost_usd or 0.0) if paid else 0.0)
            case "run":
                self._runs.labels(span.name, span.status).inc()
                self._run_s.labels(span.name).observe(span.seconds)
            case _:
                pass

    def record_request(self, request: ServedRequest) -> None:
        labels = request.method if request.method in _METHODS else OTHER, request.route or OTHER
        self._requests.labels(*labels, str(request.status)).inc()
        if not request.streamed:
            self._request_s.labels(*labels).observe(request.seconds)

    @contextmanager
    def served(self, address: tuple[str, int], read: Callable[[], Awaitable[Standing]]) -> Generator[str]:
        """Serve them while the block lasts; yields the URL.

        Args:
            read: finds out how things stand, in this event loop.

        Raises:
            flotilla_kit.settings.SettingsError: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()

        async def standing() -> Standing:
            return await read()

        def metrics() -> "Iterable[Metric]":
            try:
                return _gauges(asyncio.run_coroutine_threadsafe(standing(), loop).result(_READ_S))
            except Exception as error:  # noqa: BLE001  what this process has counted is told all the same
                logger.warning("metrics without the journal", extra={"reason": str(error)})
                return []

        self._registry.served.register(ReadOnScrape(metrics))
        with metrics_served(address, self._registry) as url:
            yield url


def _gauges(standing: Standing) -> "list[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    oldest = standing.journal.oldest
    age_s = (datetime.now(UTC) - datetime.fromisoformat(oldest)).total_seconds() if oldest else 0.0
    runs = GaugeMetricFamily("flotilla_runs", "Runs that have not ended, of all processes.", labels=["state"])
    for name, number in standing.journal.runs.items():
        runs.add_metric([name], number)
    circuits = GaugeMetricFamily(
        "flotilla_circuit_open", "1: sessions that need this server fail at once.", labels=["server"]
    )
    for name, is_open in standing.circuits.items():
        circuits.add_metric([name], float(is_open))
    queued = standing.journal.runs.get("queued", 0)
    waiting = "Calls and questions of runs that wait for a person, of all processes."
    return [
        runs,
        circuits,
        GaugeMetricFamily("flotilla_queue_depth", "Runs that wait in the queue, of all processes.", value=queued),
        GaugeMetricFamily("flotilla_sessions_live", "Sessions at work in this process.", value=standing.sessions),
        GaugeMetricFamily("flotilla_run_approvals_waiting", waiting, value=standing.journal.waiting),
        GaugeMetricFamily(
            "flotilla_run_approval_oldest_seconds", "How long the oldest of them has waited.", value=max(0.0, age_s)
        ),
    ]

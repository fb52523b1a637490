"""What a process of `flotilla` exports: traces where the standard variables ask for them, metrics with `--metrics`."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flotilla_kit.settings import SettingsError
from flotilla_kit.telemetry.metrics import metrics_address
from flotilla_kit.telemetry.trace_context import trace_id_of
from flotilla_kit.telemetry.tracing import traces_wanted

from ..config.config import Config
from ..errors import Failure

if TYPE_CHECKING:
    from ..journal.journal import Journal, Span
    from ..telemetry.run_metrics import RunMetrics, Standing
    from ..telemetry.run_traces import RunTraces
    from ..telemetry.served_request import RequestObserver

_FLAG = "--metrics"


@dataclass(frozen=True)
class Telemetry:
    """What this process exports, if anything.

    Attributes:
        address: where metrics are served.
    """

    traces: "RunTraces | None" = None
    metrics: "RunMetrics | None" = None
    address: tuple[str, int] = ("", 0)

    @property
    def listeners(self) -> "list[Callable[[Span], None]]":
        """Of the journal."""
        return [exporter for exporter in (self.traces, self.metrics) if exporter]

    @property
    def observers(self) -> "list[RequestObserver]":
        """Of the API's requests."""
        return [exporter.record_request for exporter in (self.traces, self.metrics) if exporter]

    @contextmanager
    def metrics_served(self, config: Config, journal: "Journal") -> Generator[str | None]:
        """Serve the metrics, if they are asked for, while the block lasts and this process works on runs; yields the
        URL.
        """
        if self.metrics is None:
            yield None
            return
        from ..fleet.circuit_breaker import CircuitBreaker
        from ..journal.gauges import read_gauges
        from ..runs.process import process
        from ..telemetry.run_metrics import Standing

        breaker = CircuitBreaker(journal.database, config.fleet.limits.breaker)

        async def standing() -> "Standing":
            circuits = dict.fromkeys(config.fleet.servers, False)
            circuits |= {circuit.server: circuit.state == "open" for circuit in await breaker.circuits()}
            return Standing(await journal.query(read_gauges), process().slots.live, circuits)

        try:
            with self.metrics.served(self.address, standing) as url:
                yield url
        except SettingsError as error:
            raise _failure(error) from error


@asynccontextmanager
async def telemetry_opened(metrics: str | None = None) -> AsyncGenerator[Telemetry]:
    """Export while the block lasts.

    Args:
        metrics: HOST:PORT to serve them at.

    Raises:
        Failure: `invalid_arguments`: it is no address, or what it takes is not installed.
    """
    try:
        traced, address = traces_wanted(), metrics_address(metrics, _FLAG) if metrics else None
    except SettingsError as error:
        raise _failure(error) from error
    async with AsyncExitStack() as stack:
        traces = counters = None
        if traced:
            from ..telemetry.run_traces import run_traces

            traces = await stack.enter_async_context(run_traces())
        if address:
            from ..telemetry.run_metrics import RunMetrics

            counters = RunMetrics()
        yield Telemetry(traces, counters, address or ("", 0))


def log_fields(traced: bool) -> dict[str, object]:
    """What each line of the log has: the run that it is about, and its trace."""
    from ..durable.workflow import run_at_work

    run_id = run_at_work()
    if run_id is None:
        return {}
    return {"run_id": run_id, "trace_id": trace_id_of(run_id)} if traced else {"run_id": run_id}


def _failure(error: SettingsError) -> Failure:
    return Failure("invalid_arguments", f"{error}.")

"""What a server tells of its calls and approvals while it is up: metrics, and spans in the traces of its callers."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from ..settings import ServerSettings
from ..storage import Database
from ..telemetry.logs import add_fields, trace_fields
from ..telemetry.metrics import metrics_address, metrics_served, new_registry
from ..telemetry.tracing import open_tracer_provider, traces_wanted
from .call import CURRENT
from .call_metrics import CallMetrics, waiting_approvals
from .call_spans import CallSpans
from .middleware import Guard

logger = logging.getLogger(__name__)
_SETTING = "--metrics-http"


def check_observation(settings: ServerSettings) -> None:
    """Raises SettingsError if something is asked for that cannot be: it is not installed, or is no address."""
    traces_wanted()
    if settings.metrics_http:
        metrics_address(settings.metrics_http, _SETTING)


@asynccontextmanager
async def observed(settings: ServerSettings, guard: Guard, database: Database) -> AsyncGenerator[None]:
    """Export what is asked for while the block lasts."""
    add_fields(run_fields)
    async with AsyncExitStack() as stack:
        if traces_wanted():
            provider = open_tracer_provider(f"flotilla-{settings.server}")
            stack.push_async_callback(asyncio.to_thread, provider.shutdown)
            guard.spans = CallSpans(provider)
            guard.trail.observers.append(guard.spans.record)
            add_fields(trace_fields)
        if settings.metrics_http:
            registry = new_registry()
            guard.trail.observers.append(CallMetrics(settings.server, guard.tools, registry).record)
            if guard.serves_metrics:
                loop = asyncio.get_running_loop()
                registry.served.register(waiting_approvals(settings.server, database, loop))
                address = metrics_address(settings.metrics_http, _SETTING)
                url = stack.enter_context(metrics_served(address, registry))
                logger.info("metrics", extra={"url": url})
        yield


def run_fields() -> dict[str, object]:
    """The run that the call being served belongs to."""
    call = CURRENT.get(None)
    return {"run_id": call.principal.run} if call and call.principal.run else {}

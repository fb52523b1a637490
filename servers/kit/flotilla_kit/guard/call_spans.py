"""Spans of calls, in the traces of their callers."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fastmcp.server.middleware import MiddlewareContext

from ..audit import Record
from ..telemetry.trace_context import TRACEPARENT, TRACESTATE, within_call
from .trail import tool_use_id_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class CallSpans:
    """A span for each call, in the trace that its caller names: in `_meta`, else by the request's headers."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer = provider.get_tracer("flotilla_kit")
        self._extract = TraceContextTextMapPropagator().extract

    @contextmanager
    def span(self, context: MiddlewareContext[Any]) -> Generator[None]:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        request = context.fastmcp_context and context.fastmcp_context.request_context
        http = request.request if request else None
        meta: Mapping[str, Any] = (request.meta if request else None) or {}
        use_id, method = tool_use_id_of(meta), str(context.method)
        if isinstance(meta.get(TRACEPARENT), str):
            carrier = {name: str(meta[name]) for name in (TRACEPARENT, TRACESTATE) if name in meta}
        else:
            carrier = within_call(http.headers, use_id) if http else {}
        attributes = {"mcp.method.name": method, "network.transport": "tcp" if http else "pipe"}
        if request and request.protocol_version:
            attributes["mcp.protocol.version"] = request.protocol_version
        name = method
        if method == "tools/call":
            tool = str(getattr(context.message, "name", ""))[:64]
            name = f"{method} {tool}"
            attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
            attributes |= {"gen_ai.tool.call.id": use_id} if use_id else {}
        with self._tracer.start_as_current_span(
            name, context=self._extract(carrier, Context()), kind=SpanKind.SERVER, attributes=attributes
        ):
            yield

    def record(self, record: Record) -> None:
        """What came of the call whose span is the current one."""
        from opentelemetry.trace import Status, StatusCode, get_current_span

        span = get_current_span()
        if not span.is_recording():
            return
        span.set_attribute("enduser.id", record.subject)
        if record.run:
            span.set_attribute("flotilla.run_id", record.run)
        if record.outcome != "ok":
            span.set_attribute("error.type", record.outcome)
            span.set_status(Status(StatusCode.ERROR))

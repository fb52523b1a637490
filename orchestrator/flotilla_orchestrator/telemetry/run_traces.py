"""Sends what the journal records, and the requests of the API, as traces: one for each run. Imported where asked for.

A session is sent once it has ended, with its calls as the journal has them, by the process that ends it, with ids that
follow from the journal's own (see the kit's `trace_context`). So the trace of a run is one, whichever processes have
worked on it and however they ended.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from flotilla_kit.telemetry.trace_context import (
    TRACEPARENT,
    short_span_id,
    span_id_for,
    trace_headers,
    trace_id_of,
)
from flotilla_kit.telemetry.tracing import open_tracer_provider
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..journal.journal import Span
from .served_request import ServedRequest
from .span_attributes import approval_events, attributes_of, name_of, nanoseconds, server_of
from .span_ids import GivenIds


class RunTraces:
    """A listener of the journal, and an observer of requests."""

    def __init__(self, provider: TracerProvider, ids: GivenIds) -> None:
        self._provider, self._tracer, self._ids = provider, provider.get_tracer("flotilla_orchestrator"), ids
        self._extract = TraceContextTextMapPropagator().extract

    def __call__(self, span: Span) -> None:
        """Send a run, or what it has done itself, if it has ended; an interrupted one goes on later."""
        of_session = span.kind == "session" or "tool_use_id" in span.attributes
        if span.ended_at and span.status != "interrupted" and not of_session:
            self._send(span)

    def send_session(self, session: Span, calls: Iterable[Span]) -> None:
        """Send a session that has ended, with its calls: also those of processes that were killed before they could."""
        if session.status != "interrupted":
            for span in [*calls, session]:
                self._send(span)

    def session_headers(self, run_id: str, span_id: str) -> dict[str, str]:
        """What requests to servers carry that the session with this span makes."""
        return trace_headers(run_id, span_id, sampled=self._sampled(run_id))

    def run_headers(self, run_id: str) -> dict[str, str]:
        """What requests to servers carry that the run makes itself."""
        return {TRACEPARENT: self.session_headers(run_id, span_id_for(run_id))[TRACEPARENT]}

    def request_parent(self, run_id: str) -> str:
        """The span of the request that starts a run, as the `traceparent` of the run's."""
        return trace_headers(run_id, _request_span_id(run_id), sampled=self._sampled(run_id))[TRACEPARENT]

    def record_request(self, request: ServedRequest) -> None:
        """One that has started a run is the first span of its trace, with a link to the caller's; others are within the
        caller's trace."""
        caller = self._extract(request.headers, Context())
        calling = get_current_span(caller).get_span_context()
        self._ids.give(None, None)
        parent, links = caller, []
        if request.new_run:
            self._ids.give(trace_id_of(request.new_run), short_span_id(_request_span_id(request.new_run)))
            parent, links = Context(), [Link(calling)] if calling.is_valid else []
        attributes = {"http.request.method": request.method, "http.response.status_code": request.status}
        attributes |= {"http.route": request.route} if request.route else {}
        attributes |= {"enduser.id": request.caller} if request.caller else {}
        attributes |= {"flotilla.run_id": request.new_run} if request.new_run else {}
        span = self._tracer.start_span(
            f"{request.method} {request.route}".rstrip(),
            parent,
            SpanKind.SERVER,
            attributes,
            links,
            request.began_ns,
        )
        if request.status >= 500:
            span.set_attribute("error.type", str(request.status))
            span.set_status(Status(StatusCode.ERROR))
        span.end(request.ended_ns)

    def _send(self, span: Span) -> None:
        assert span.ended_at, "only what has ended is sent"
        self._ids.give(trace_id_of(span.run_id), short_span_id(span.span_id))
        sent = self._tracer.start_span(
            name_of(span),
            self._parent(span),
            SpanKind.CLIENT if server_of(span) else SpanKind.INTERNAL,
            attributes_of(span),
            start_time=nanoseconds(span.started_at),
        )
        for name, at, attributes in approval_events(span):
            sent.add_event(name, attributes, at)
        if span.status != "ok":
            sent.set_status(Status(StatusCode.ERROR, span.status))
        sent.end(max(nanoseconds(span.ended_at), nanoseconds(span.started_at)))

    def _parent(self, span: Span) -> Context:
        parent_id = short_span_id(span.parent_id) if span.parent_id else ""
        if not parent_id and (request := span.attributes.get(TRACEPARENT)):
            parent_id = str(request).split("-")[2]
        if not parent_id:
            return Context()
        flags = TraceFlags(TraceFlags.SAMPLED if self._sampled(span.run_id) else TraceFlags.DEFAULT)
        context = SpanContext(int(trace_id_of(span.run_id), 16), int(parent_id, 16), True, flags)
        return set_span_in_context(NonRecordingSpan(context), Context())

    def _sampled(self, run_id: str) -> bool:
        """The sampler's decision about a run's trace: the same for each of its spans, in each process."""
        return self._provider.sampler.should_sample(None, int(trace_id_of(run_id), 16), "").decision.is_sampled()


@asynccontextmanager
async def run_traces() -> AsyncGenerator[RunTraces]:
    """Traces are sent while the block lasts; at its end, the rest."""
    ids = GivenIds()
    provider = open_tracer_provider("flotilla", ids)
    try:
        yield RunTraces(provider, ids)
    finally:
        await asyncio.to_thread(provider.shutdown)


def _request_span_id(run_id: str) -> str:
    return span_id_for(run_id, "request")

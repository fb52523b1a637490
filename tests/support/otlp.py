"""An OTLP/HTTP collector in this process, which keeps the spans that it is sent."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2


@dataclass(frozen=True)
class Received:
    """A span as it was sent; ids are hex digits, of no parent none."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    attributes: dict[str, Any]
    events: list[str]
    links: list[str]
    """The traces of other spans that it names."""
    failed: bool
    seconds: float


@dataclass
class Collector:
    url: str = ""
    spans: list[Received] = field(default_factory=list[Received])

    @property
    def environment(self) -> dict[str, str]:
        """What a process is given to send its spans here, each at once."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def of(self, trace_id: str) -> list[Received]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def wait_for(self, name: str) -> None:
        """Until a span of that name has come."""
        until = time.monotonic() + 60
        while all(span.name != name for span in self.spans):
            assert time.monotonic() < until, [span.name for span in self.spans]
            time.sleep(0.02)

    def named(self, name: str) -> Received:
        """The only span of that name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def ancestors(self, span: Received) -> list[str]:
        """The names of the spans above it, up to one that has no parent."""
        by_id = {one.span_id: one for one in self.of(span.trace_id)}
        names: list[str] = []
        while span.parent_id:
            span = by_id[span.parent_id]
            names.append(span.name)
        return names


@contextmanager
def collector() -> Generator[Collector]:
    """One that takes spans while the block lasts."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            found.spans += _received(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _received(request: ExportTraceServiceRequest) -> list[Received]:
    return [
        Received(
            service=str(_values(resource.resource.attributes)["service.name"]),
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            name=span.name,
            kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            attributes=_values(span.attributes),
            events=[event.name for event in span.events],
            links=[link.trace_id.hex() for link in span.links],
            failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
            seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}

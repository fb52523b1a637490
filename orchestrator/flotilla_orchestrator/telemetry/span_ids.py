"""Ids of spans that are given to the OpenTelemetry SDK, which draws them at random otherwise."""

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator


class GivenIds(RandomIdGenerator):
    """The ids of the next span that is started, where they were given."""

    def __init__(self) -> None:
        self._trace_id: int | None = None
        self._span_id: int | None = None

    def give(self, trace_id: str | None, span_id: str | None) -> None:
        """In hex digits. The trace's counts for a span without a parent."""
        self._trace_id = int(trace_id, 16) if trace_id else None
        self._span_id = int(span_id, 16) if span_id else None

    def generate_trace_id(self) -> int:
        return self._trace_id or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self._span_id or super().generate_span_id()

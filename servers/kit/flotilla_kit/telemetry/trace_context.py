"""The ids of a run's trace, derived from the run's own ids, and how a call carries them (W3C Trace Context).

Every process that works on a run, in whatever order and after whatever crash, derives the same ids, so nothing has to
be stored or handed over for a trace to be one.
"""

import hashlib
import re
from collections.abc import Mapping
from uuid import UUID, uuid5

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
_VENDOR = "flotilla"
_NAMESPACE = UUID("f07111a0-0000-4000-8000-000000000000")
_SPAN_ID = re.compile(r"[0-9a-f]{32}")


def span_id_for(*names: str) -> str:
    """The id of the span with these names, 32 hex digits: always the same for the same names."""
    return uuid5(_NAMESPACE, "/".join(names)).hex


def trace_id_of(run_id: str) -> str:
    """The id of a run's trace, 32 hex digits. Of a hash, as samplers take a part of it for a random number."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:32]


def short_span_id(span_id: str) -> str:
    """The 16 hex digits by which a trace names the span with this id."""
    return span_id[:16]


def trace_headers(run_id: str, span_id: str, *, sampled: bool) -> dict[str, str]:
    """What requests carry that are made within this span of a run.

    `tracestate` has the span's whole id: with the id of a tool call it makes the id of that call's span, which a client
    whose headers are the same for a whole session has no other way to send.
    """
    parent = f"00-{trace_id_of(run_id)}-{short_span_id(span_id)}-{'01' if sampled else '00'}"
    return {TRACEPARENT: parent, TRACESTATE: f"{_VENDOR}={span_id}"}


def within_call(headers: Mapping[str, str], tool_use_id: str) -> dict[str, str]:
    """The trace context of these headers, as that of the call with this id where they are of a session of ours."""
    given = {name: headers[name] for name in (TRACEPARENT, TRACESTATE) if headers.get(name)}
    parts = given.get(TRACEPARENT, "").split("-")
    entries = [entry.strip().partition("=") for entry in given.get(TRACESTATE, "").split(",")]
    session = next((value for name, _, value in entries if name == _VENDOR), "")
    if tool_use_id and len(parts) == 4 and _SPAN_ID.fullmatch(session) and short_span_id(session) == parts[2]:
        parts[2] = short_span_id(span_id_for(session, tool_use_id))
        given[TRACEPARENT] = "-".join(parts)
    return given

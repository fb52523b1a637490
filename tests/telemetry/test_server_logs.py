"""A line of a server's log says which run it is about, and, where traces are sent, where in its trace."""

import io
import json
import logging
from pathlib import Path

import pytest
from fastmcp import Client
from flotilla_kit.identity.keys import SigningKey, write_jwks
from flotilla_kit.telemetry.logs import JsonFormatter
from flotilla_kit.telemetry.trace_context import span_id_for, trace_headers, trace_id_of
from light_switch import Settings, create_server
from support.otlp import Collector
from support.tokens import worker_claims

NOBODY = "http://127.0.0.1:1"


async def test_what_goes_wrong_in_a_call_is_logged_with_its_run_and_its_place_in_the_trace(
    tmp_path: Path, spans: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in spans.environment.items():
        monkeypatch.setenv(name, value)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    monkeypatch.setattr(logging.getLogger("flotilla_kit"), "handlers", [handler])
    key = SigningKey.generate()
    write_jwks(tmp_path / "keys.json", [key.public_jwk()])
    claims = worker_claims(aud="light", authorization_details=[{"type": "mcp_tool", "tool": "get_light"}])
    settings = Settings.load(
        {
            "home": tmp_path,
            "device_url": NOBODY,
            "mandate_keys": str(tmp_path / "keys.json"),
            "mandate": key.sign(claims),
        }
    )
    traced = trace_headers("run_1", span_id_for("run_1"), sampled=True)
    async with Client(create_server(settings)) as client:
        failed = await client.call_tool("get_light", {}, meta=traced, raise_on_error=False)
        assert failed.is_error
    (line,) = [json.loads(line) for line in written.getvalue().splitlines() if '"tool failed"' in line]
    span = spans.named("tools/call get_light")
    assert (line["run_id"], line["trace_id"], line["span_id"]) == ("run_1", span.trace_id, span.span_id)
    assert span.trace_id == trace_id_of("run_1")
    assert span.failed and span.attributes["error.type"] == "internal_error"

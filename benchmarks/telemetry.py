"""What telemetry costs: a guarded read without its hooks, with them and nothing asked for, with metrics, with traces;
a span of a run that is sent or counted; a line of an audit file.

Reads are interleaved in one run, so the ratios hold where the figures do not.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from flotilla_kit import cli
from flotilla_kit.guard.middleware import Guard
from flotilla_kit.identity.keys import SigningKey, write_jwks
from flotilla_orchestrator.journal.journal import Span, now
from flotilla_orchestrator.sessions.session_audit import SessionAudit, digest
from flotilla_orchestrator.telemetry.run_metrics import RunMetrics
from flotilla_orchestrator.telemetry.run_traces import run_traces
from pydantic import JsonValue

from .load import Load, measure, tool_call
from .servers import served

WITHOUT, OFF, METRICS, TRACES, BOTH = "without hooks", "nothing asked for", "metrics", "traces", "both"
ROUNDS, SECONDS = 9, 1
SPANS = 5_000
READ = ("get_transaction", {"transaction_id": "ch_maya_feb_2"})


async def reads(collector: str) -> None:
    """Print calls a second of each server, and its share of the one without hooks: the median of the rounds' ratios."""
    key = SigningKey.generate()
    with ExitStack() as stack:
        urls: dict[str, str] = {}
        for name in (WITHOUT, OFF, METRICS, TRACES, BOTH):
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            write_jwks(home / "keys.json", [key.public_jwk()])
            flags = ["--home", home, "--demo-data", "--http", "127.0.0.1:0", "--mandate-keys", home / "keys.json"]
            flags += ["--calls-per-second", "1e6", "--exit-with-stdin"]
            flags += ["--metrics-http", "127.0.0.1:0"] if name in (METRICS, BOTH) else []
            traced = ["env", f"OTEL_EXPORTER_OTLP_ENDPOINT={collector}"] if name in (TRACES, BOTH) else []
            program = [sys.executable, "-m", "benchmarks.telemetry", "bare" if name == WITHOUT else "server"]
            urls[name] = stack.enter_context(served([*traced, *program, *flags]))
        token = {"Authorization": f"Bearer {key.sign(_claims())}"}
        requests = {name: (url, tool_call(url, *READ, token)) for name, url in urls.items()}
        for connections in (1, 16):
            loads = await _rounds(requests, connections)
            for name, found in loads.items():
                pairs = zip(found, loads[WITHOUT], strict=True)
                share = statistics.median(one.calls_per_second / bare.calls_per_second for one, bare in pairs)
                rate = statistics.median(one.calls_per_second for one in found)
                print(f"{READ[0]}, {connections:>2} callers, {name:18}{rate:>8.0f} calls/s{share:>7.2f} of without")


async def _rounds(requests: Mapping[str, tuple[str, bytes]], connections: int) -> dict[str, list[Load]]:
    loads: dict[str, list[Load]] = {name: [] for name in requests}
    for _ in range(ROUNDS):
        for name, (url, request) in requests.items():
            loads[name].append(await measure(url, request, connections=connections, seconds=SECONDS))
    return loads


async def spans() -> None:
    """Print what a span of the journal, and a line of an audit file, cost the process that records it."""
    session = Span("run_bench", None, "session", "clerk", {"model": "claude", "playbook": "case"}, status="ok")
    call = Span("run_bench", session.span_id, "tool", "get_transaction", {"tool": "mcp__billing__get_transaction"})
    call.status, session.ended_at, call.ended_at = "ok", now(), now()
    async with run_traces() as traces:
        _print("a call's span sent", lambda: traces(call))
    metrics = RunMetrics()
    _print("a call's span counted", lambda: metrics(call))
    with tempfile.TemporaryDirectory() as folder:
        audit = SessionAudit(Path(folder), session)
        _print("a line of an audit file", lambda: audit.write("call", call_id="toolu_1", arguments_sha256=digest("{}")))


def _print(name: str, act: Callable[[], object]) -> None:
    took: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(SPANS // 5):
            act()
        took.append((time.perf_counter() - began) / (SPANS // 5))
    print(f"{name}: {statistics.median(took) * 1e6:.0f} µs")


def _claims() -> dict[str, JsonValue]:
    issued = int(time.time())
    who: dict[str, JsonValue] = {"iss": "flotilla", "aud": "billing", "sub": "researcher", "run": "bench", "jti": "1"}
    when: dict[str, JsonValue] = {"iat": issued, "nbf": issued, "exp": issued + 3500}
    return {**who, **when, "authorization_details": [{"type": "mcp_tool", "tool": READ[0]}]}


async def _unhooked(self: Guard, context: Any, call_next: Any) -> Any:
    return await self._handle(self._principal(context), context, call_next)  # pyright: ignore[reportPrivateUsage]


class _Discards(BaseHTTPRequestHandler):
    """A collector that keeps nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _collect() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Discards) as server:
        print(f'{{"event": "listening", "url": "http://127.0.0.1:{server.server_port}"}}', file=sys.stderr, flush=True)
        serving = Thread(target=server.serve_forever)
        serving.start()
        sys.stdin.read()
        server.shutdown()
        serving.join()


def main() -> None:
    with served([sys.executable, "-m", "benchmarks.telemetry", "collector"]) as collector:
        asyncio.run(reads(collector))
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector
        asyncio.run(spans())
        del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["collector"]:
            _collect()
        case ["bare", *flags]:
            Guard.__call__ = _unhooked
            raise SystemExit(cli.main("flotilla_billing", flags))
        case ["server", *flags]:
            raise SystemExit(cli.main("flotilla_billing", flags))
        case _:
            main()

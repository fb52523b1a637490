"""Load over HTTP/1.1: one prepared request over N keep-alive connections, for a fixed time.

By `wrk` where it is installed. The generator in Python stands in for it, and costs about as much as what it measures.
"""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
WRK = shutil.which("wrk")
_SCRIPT = Path(__file__).parent / "call.lua"


@dataclass(frozen=True)
class Load:
    """What one measurement saw. Latencies in milliseconds."""

    calls_per_second: float
    p50_ms: float
    p99_ms: float


class _Connection(asyncio.Protocol):
    """Sends the request again as soon as its answer is complete; notes each latency."""

    def __init__(self, request: bytes, latencies: list[float], deadline: float) -> None:
        self._request, self._latencies, self._deadline = request, latencies, deadline
        self._received = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in behaviour, not by class
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200") or b'"isError":true' in body:
            self._finish(RuntimeError(f"the server refused: {self._received[:500]!r}"))
            return
        now = time.perf_counter()
        self._latencies.append(now - self._sent_at)
        self._received = b""
        if now < self._deadline:
            self._send()
        else:
            self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(exc or RuntimeError("the server closed the connection"))

    def _finish(self, problem: Exception | None) -> None:
        if not self.done.done():
            if problem:
                self.done.set_exception(problem)
            else:
                self.done.set_result(None)
        self._transport.close()


def tool_call(url: str, tool: str, arguments: dict[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    """A complete `tools/call` request of the modern era, as bytes."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    said = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
    return _call(url, {"name": tool, "arguments": arguments, "_meta": meta}, {**said, **(headers or {})})


def legacy_call(url: str, tool: str, arguments: dict[str, Any]) -> bytes:
    """The same of the era before it, which is all that `@modelcontextprotocol/sdk` speaks."""
    return _call(url, {"name": tool, "arguments": arguments}, {"MCP-Protocol-Version": LEGACY})


def _call(url: str, params: dict[str, Any], headers: dict[str, str]) -> bytes:
    return post(url, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}), headers)


def post(url: str, body: str, headers: dict[str, str]) -> bytes:
    """A POST of a JSON body, as bytes."""
    address = urlsplit(url)
    lines = [
        f"POST {address.path} HTTP/1.1",
        f"Host: {address.netloc}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"Content-Length: {len(body.encode())}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def measure(url: str, request: bytes, *, connections: int, seconds: int) -> Load:
    """Send `request` over `connections` connections for `seconds`.

    Raises:
        RuntimeError: an answer was not a success.
    """
    if WRK is None:
        return await _measured_here(url, request, connections, seconds)
    await _measured_here(url, request, 1, 0)  # wrk reads no answer: is the first one a success?
    with tempfile.NamedTemporaryFile() as file:
        file.write(request)
        file.flush()
        wrk = [WRK, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
        command = [*wrk, "--script", str(_SCRIPT), url, "--", file.name]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
    found = json.loads(output.splitlines()[-1])
    if found["failed"]:
        raise RuntimeError(f"the server refused: {found}")
    return Load(
        calls_per_second=found["requests"] / found["duration_us"] * 1e6,
        p50_ms=found["p50_us"] / 1000,
        p99_ms=found["p99_us"] / 1000,
    )


async def _measured_here(url: str, request: bytes, connections: int, seconds: int) -> Load:
    address = urlsplit(url)
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    pairs = [
        await loop.create_connection(
            lambda: _Connection(request, latencies, started + seconds), address.hostname or "", address.port or 80
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in pairs))
    elapsed = time.perf_counter() - started
    ordered = sorted(latencies)
    return Load(
        calls_per_second=len(ordered) / elapsed,
        p50_ms=ordered[len(ordered) // 2] * 1000,
        p99_ms=ordered[int(len(ordered) * 0.99)] * 1000,
    )

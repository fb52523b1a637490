"""MCP requests as bytes over HTTP, in both protocol eras, also such as no client would send; and what comes back."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from .proofs import FULL

MODERN, LEGACY = "2026-07-28", "2025-11-25"
ERAS = (MODERN, LEGACY)
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_RAW = re.compile(r'"@raw:([^"]*)@"')
ERROR = {"code", "message", "suggestion", "retryable", "details"}


def era_of(number: int) -> str:
    """The era of a call of many that differ in something else: both in turn in a full run.

    Otherwise every fifth is of the older era, whose calls take the server twice as long.
    """
    return LEGACY if number % (2 if FULL else 5) == 1 else MODERN


def raw(text: str) -> str:
    """A value that `encoded` writes as it is, for what JSON does not allow, such as 1e400."""
    return f"@raw:{text}@"


def encoded(request: object) -> bytes:
    return _RAW.sub(r"\1", json.dumps(request)).encode()


def request(name: object, arguments: object, *, method: str = "tools/call", **changes: object) -> dict[str, Any]:
    """A request for JSON; `changes` are of its params. Without arguments it has none."""
    named = {"uri": name} if method == "resources/read" else {"name": name}
    given = {"arguments": arguments} if arguments is not None else {}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**named, **given, "_meta": META, **changes}}


def listing(method: str, cursor: str | None) -> dict[str, Any]:
    """A request for a page of a list."""
    page = {"cursor": cursor} if cursor else {}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META, **page}}


def headers(era: str, name: str = "", method: str = "tools/call", *, token: str = "") -> dict[str, bytes]:
    said = {"Accept": b"application/json, text/event-stream", "Content-Type": b"application/json"}
    if token:
        said["Authorization"] = b"Bearer " + token.encode()
    if era == MODERN:
        said |= {"Mcp-Method": method.encode(), **({"Mcp-Name": name.encode()} if name else {})}
    return said | {"MCP-Protocol-Version": era.encode()}


@dataclass(frozen=True)
class Answer:
    """What a server said: `code` is `ok`, a refusal's, or `protocol` where it was no result; `data` is its content."""

    status: int
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """As they came, the date and the length apart."""

    @cached_property
    def message(self) -> dict[str, Any]:
        """The JSON-RPC answer; empty where there is none."""
        events = [line[5:] for line in self.text.splitlines() if line.startswith("data:")]
        try:
            read = json.loads(events[-1] if events else self.text)
        except ValueError:
            return {}
        return cast("dict[str, Any]", read) if isinstance(read, dict) else {}

    @property
    def result(self) -> dict[str, Any]:
        return self.message.get("result", {})

    @cached_property
    def data(self) -> dict[str, Any]:
        if "content" not in self.result:
            return {}
        if not self.result.get("isError"):
            return self.result.get("structuredContent") or {}
        return json.loads(self.result["content"][0]["text"])

    @property
    def code(self) -> str:
        if "content" not in self.result:
            return "protocol"
        return str(self.data.get("code")) if self.result.get("isError") else "ok"

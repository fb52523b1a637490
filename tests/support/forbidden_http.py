"""Requests that no MCP client would send: forged tokens, headers that contradict the body, and broken JSON-RPC."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from flotilla_kit.identity.keys import SigningKey

from .mandated import FORBIDDEN, Served
from .tokens import BAD_TOKENS, signed, worker_claims

MODERN, LEGACY = "2026-07-28", "2025-11-25"
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_UNSENDABLE = {"empty", "newline_after", "lone_surrogate"}  # no header can say them


@dataclass(frozen=True)
class Request:
    kind: str
    known: bool
    """It carries a good token, whose subject is `kind`: one record of it. Otherwise it is counted."""
    content: bytes
    headers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    method: str = "POST"


def body(name: object, arguments: object, *, method: str = "tools/call", **changes: object) -> dict[str, Any]:
    """A request for JSON; `changes` are of its params."""
    params = {"name": name, "arguments": arguments, "_meta": META, **changes}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def headers(era: str, name: str = "", method: str = "tools/call", *, token: bytes = b"") -> dict[str, bytes]:
    said = {"Accept": b"application/json, text/event-stream", "Content-Type": b"application/json"}
    if token:
        said["Authorization"] = b"Bearer " + token
    if era == MODERN:
        said |= {"Mcp-Method": method.encode(), "Mcp-Name": name.encode()}
    return said | {"MCP-Protocol-Version": era.encode()}


class Hostile:
    """Draws requests against a server. `allowed` is a tool that `details` grants, with arguments that would do."""

    def __init__(
        self, served: Served, details: Sequence[Mapping[str, Any]], scope: Any, allowed: tuple[str, dict[str, Any]]
    ) -> None:
        self._served, self._details, self._scope = served, details, scope
        self._tool, self._arguments = allowed
        self._tokens: dict[str, bytes] = {}
        self._call = json.dumps(body(*allowed)).encode()
        self._forgeries = self._all_forgeries()

    def draw(self, random: Random) -> Request:
        era = random.choice((MODERN, LEGACY))
        match random.choice(("token", "token", "transport", "approver", "mismatch", "body", "body", "values", "path")):
            case "token":
                return self._by_nobody(random, era)
            case "transport":
                return self._by_a_strange_way(random, era)
            case "approver":
                genuine = self._served.approver_token().encode()
                return Request("ada", True, self._call, headers(era, self._tool, token=genuine))
            case "mismatch":
                return self._contradiction(random)
            case "body":
                return self._broken(random, era)
            case "values":
                return self._odd_value(random, era)
            case _:
                return self._odd_path(random, era)

    def _token(self, kind: str) -> bytes:
        if kind not in self._tokens:
            self._tokens[kind] = self._served.token(kind, self._details, scope=self._scope).encode()
        return self._tokens[kind]

    def _known(self, kind: str, content: bytes, headers: dict[str, bytes], method: str = "POST") -> Request:
        return Request(kind, True, content, headers | {"Authorization": b"Bearer " + self._token(kind)}, method)

    def _all_forgeries(self) -> dict[str, Callable[[], bytes]]:
        """Authorization headers of nobody."""
        served, stranger = self._served, SigningKey.generate()
        name = served.name
        own = {"crm", "k8s", "billing", "memory"} - {name}
        claims: dict[str, Any] = {"aud": name, "authorization_details": self._details, "scope": self._scope}

        def forged(kind: str) -> bytes:
            return b"Bearer " + BAD_TOKENS[kind](served.issuer, worker_claims(**claims)).encode("latin-1")

        def swapped() -> bytes:
            one, other = (served.token(sub, self._details, scope=self._scope).split(".") for sub in ("one", "other"))
            return f"Bearer {one[0]}.{one[1]}.{other[2]}".encode()

        def elsewhere(aud: object) -> bytes:
            return b"Bearer " + served.issuer.sign(worker_claims(**{**claims, "aud": aud})).encode()

        def as_approver(key: SigningKey, **header: str) -> bytes:
            minted = worker_claims(iss=f"flotilla-{name}-approvers", aud=name, sub="ada", run=None)
            return b"Bearer " + signed(key, minted, **header).encode()

        return {
            **{
                kind: lambda kind=kind: forged(kind)
                for kind in BAD_TOKENS
                if kind not in _UNSENDABLE and not kind.startswith("aud")
            },
            "swapped": swapped,
            "aud_of_another_server": lambda: elsewhere(min(own)),
            "auds_of_other_servers": lambda: elsewhere(sorted(own)),
            "aud_with_ours_inside": lambda: elsewhere(f"{name}.example"),
            "issuer_mints_an_approver": lambda: as_approver(served.issuer),
            "issuer_mints_an_approver_by_name": lambda: as_approver(served.issuer, kid="ada"),
            "stranger_mints_an_approver": lambda: as_approver(stranger, kid="ada"),
            "approver_mints_a_mandate": lambda: b"Bearer " + served.approver.sign(worker_claims(**claims)).encode(),
            "approver_for_somebody_else": lambda: (
                b"Bearer " + served.approver_token(served.approver, subject="grace").encode()
            ),
            "unknown_scope": lambda: b"Bearer " + served.token("x", scope={"region": "eu"}).encode(),
            "unknown_detail": lambda: b"Bearer " + served.token("x", [{"type": "mcp_everything"}]).encode(),
            "misspelt_bound": lambda: (
                b"Bearer " + served.token("x", [{"type": "mcp_tool", "tool": "a", "argument": {}}]).encode()
            ),
            "no_scheme": lambda: self._token("victim"),
            "other_scheme": lambda: b"Basic " + self._token("victim"),
            "bare_scheme": lambda: b"Bearer",
            "two_tokens": lambda: b"Bearer " + self._token("victim") + b", Bearer " + self._token("victim"),
        }

    def _by_nobody(self, random: Random, era: str) -> Request:
        kind = random.choice([*self._forgeries, "none", "cookie", "forwarded"])
        said = headers(era, self._tool)
        if kind in self._forgeries:
            said["Authorization"] = self._forgeries[kind]()
        elif kind == "cookie":
            said["Cookie"] = b"Authorization=Bearer " + self._token("victim")
        elif kind == "forwarded":
            said |= {"X-Forwarded-User": b"ada", "X-Forwarded-Authorization": b"Bearer " + self._token("victim")}
        return Request(f"nobody_{kind}", False, self._call, said, random.choice(("POST", "POST", "GET", "DELETE")))

    def _by_a_strange_way(self, random: Random, era: str) -> Request:
        said = headers(era, self._tool)
        match random.choice(("method", "content_type", "accept", "host", "origin")):
            case "method":
                return self._known("method", b"", said, random.choice(("GET", "DELETE", "PUT", "PATCH", "OPTIONS")))
            case "content_type":
                return self._known("content_type", self._call, said | {"Content-Type": b"text/plain"})
            case "accept":
                return self._known("accept", self._call, said | {"Accept": b"text/html"})
            case foreign:  # refused before anybody looks at the token
                name, value = ("Host", b"evil.example") if foreign == "host" else ("Origin", b"https://evil.example")
                token = {"Authorization": b"Bearer " + self._token("victim")}
                return Request(foreign, False, self._call, said | token | {name: value})

    def _contradiction(self, random: Random) -> Request:
        """Headers that promise an intermediary something else than the body asks for."""
        said = headers(MODERN, self._tool)
        name, value = random.choice(
            [
                ("Mcp-Name", b"get_refund"),
                ("Mcp-Name", b""),
                ("Mcp-Name", self._tool.upper().encode()),
                ("Mcp-Name", b"=?base64?AAAA?="),
                ("Mcp-Method", b"tools/list"),
                ("Mcp-Method", b"Tools/Call"),
                ("MCP-Protocol-Version", b"2099-01-01"),
                ("MCP-Protocol-Version", b"latest"),
                ("MCP-Protocol-Version", b""),
            ]
        )
        return self._known("mismatch", self._call, said | {name: value})

    def _broken(self, random: Random, era: str) -> Request:
        call = body(self._tool, self._arguments)
        params = call["params"]
        content: object = random.choice(
            [
                *({**call, "params": value} for value in ([1], "x", 5, [params])),
                *([call], [call, call], [], 5, "x", None, {}, {**call, "jsonrpc": "1.0"}),
                *(body(value, self._arguments) for value in (5, None, [self._tool], {"name": self._tool}, True)),
                *(body(self._tool, value) for value in ([1], "x", 5, True, [self._arguments])),
                *(body(self._tool, self._arguments, _meta=value) for value in ("x", [META], 5)),
                *({**call, "method": value} for value in (5, None, ["tools/call"], "", "tools/Call", "refunds/issue")),
                {name: value for name, value in call.items() if name != "params"},
            ]
        )
        method = content.get("method") if isinstance(content, dict) else None  # pyright: ignore  # JSON
        said = headers(era, self._tool, method if isinstance(method, str) and method else "tools/call")
        return self._known("broken", json.dumps(content).encode(), said)

    def _odd_value(self, random: Random, era: str) -> Request:
        """JSON that Python reads and JSON does not allow, or that no database could hold."""
        first, value = next(iter(self._arguments)), "@@"
        text = json.dumps(body(self._tool, {**self._arguments, first: value}))
        odd = random.choice(
            ["1e400", "-1e400", "NaN", "Infinity", "9" * 5000, '"\\ud800"', '"\\u0000"', "[" * 3000, '"', "tru", "01"]
        )
        return self._known("odd_value", text.replace(f'"{value}"', odd).encode(), headers(era, self._tool))

    def _odd_path(self, random: Random, era: str) -> Request:
        """Addresses that a client would have resolved itself."""
        way = random.choice(
            ["policies/../", "policies/%2e%2e/", "policies//../", "policies/..\\", "./", "%70rivate/../", ""]
        )
        uri = f"knowledge://{way}{FORBIDDEN}" + random.choice(["", "?", "#policies/", "/", ".md", "\\n"])
        content = {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": uri, "_meta": META}}
        return self._known("path", json.dumps(content).encode(), headers(era, uri, "resources/read"))

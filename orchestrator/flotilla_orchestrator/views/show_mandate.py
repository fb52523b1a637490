"""What a worker can do, at a glance: its tools as the model sees them, bounds, approvals, and what they cost it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import JsonValue
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..config.config import Config
from ..config.playbooks import Playbook
from ..config.workers import Worker
from ..fleet.connection import ServerConnection
from ..fleet.fleet import Fleet
from ..fleet.run_mandates import RunMandates
from ..mandates.claims import APPROVAL_TOOLS, AuthorizationDetail
from .mandate_text import bound_text, server_heading

if TYPE_CHECKING:
    from mcp.types import Tool as Listed


@dataclass(frozen=True)
class ToolView:
    tool: str
    effect: Literal["reads", "changes"]
    bounds: Mapping[str, JsonValue]
    """By argument: the JSON Schema that its values must satisfy."""
    approval: Literal["never", "always", "server's rule"]
    bytes: int
    """Of name, description and input schema, narrowed, as compact JSON."""


@dataclass(frozen=True)
class ServerView:
    server: str
    mandates: bool
    """False: the server checks none; only the session keeps the worker from its other tools."""
    scope: Mapping[str, str]
    tools: Sequence[ToolView]
    resources: Sequence[str]
    denied: Sequence[str]
    """Its file names them, and a rule of fleet.yaml takes them away."""
    others: Sequence[str]
    """Further tools that some file of the fleet names."""


@dataclass(frozen=True)
class MandateView:
    worker: Worker
    playbook: str | None
    servers: Sequence[ServerView]
    unreached: Sequence[str]
    """Servers of the fleet that it has no tool of."""

    @property
    def bytes(self) -> int:
        return sum(tool.bytes for server in self.servers for tool in server.tools)

    def as_dict(self) -> dict[str, object]:
        return {
            "worker": self.worker.name,
            "playbook": self.playbook,
            "delegates": self.worker.delegates,
            "servers": [asdict(server) for server in self.servers],
            "unreached": self.unreached,
            "bytes": self.bytes,
        }

    def view(self) -> RenderableType:
        """The same for people."""
        heading = Text.assemble((self.worker.name, "bold"), f"  {self.worker.description}")
        if self.playbook:
            heading.append(f"\nin the playbook {self.playbook}", "dim")
        if self.worker.delegates:
            heading.append(f"\ndelegates to {', '.join(self.worker.delegates)}")
        parts: list[RenderableType] = [heading]
        for server in self.servers:
            parts += [Text(), *_server(server)]
        count = sum(len(server.tools) for server in self.servers)
        parts += [Text(), Text(f"{self.bytes} bytes of context for {count} tools", style="bold")]
        if self.unreached:
            parts.append(Text(f"no tool of: {', '.join(self.unreached)}", style="dim"))
        return Group(*parts)


async def show(
    config: Config, worker: Worker, playbook: Playbook | None, fleet: Fleet, mandates: RunMandates
) -> MandateView:
    """Ask each of the worker's servers what it lists for the worker's mandate."""
    tokens = mandates.tokens(worker)
    servers: list[ServerView] = []
    for name, details in mandates.details(worker).items():
        server = fleet.servers[name]
        listed = await server.list_tools(tokens.get(server.mandate_variable, ""))
        servers.append(_shown(worker, server, details, listed, mandates.scopes.get(name, {})))
    unreached = sorted(set(config.fleet.servers) - set(worker.servers))
    return MandateView(worker, playbook.name if playbook else None, servers, unreached)


def _shown(
    worker: Worker,
    server: ServerConnection,
    details: Sequence[AuthorizationDetail],
    listed: "Sequence[Listed]",
    scope: Mapping[str, str],
) -> ServerView:
    granted = {str(detail["tool"]): detail for detail in details if detail["type"] == "mcp_tool"}
    own = worker.tools_on(server.name)
    return ServerView(
        server=server.name,
        mandates=server.minter is not None,
        scope=scope,
        tools=[_tool(server, tool, granted[tool.name]) for tool in listed if tool.name in granted],
        resources=[str(detail["uri"]) for detail in details if detail["type"] == "mcp_resource"],
        denied=[tool for tool in own if tool not in granted],
        others=sorted(set(server.tools) - set(own) - set(APPROVAL_TOOLS)),
    )


def _tool(server: ServerConnection, tool: "Listed", detail: AuthorizationDetail) -> ToolView:
    reads = server.tools[tool.name].read_only
    bounds: Any = detail.get("arguments", {})
    return ToolView(
        tool=tool.name,
        effect="reads" if reads else "changes",
        bounds=bounds.get("properties", {}),
        approval="always" if "approval" in detail else "never" if reads else "server's rule",
        bytes=tool_bytes(server.name, tool),
    )


def tool_bytes(server: str, tool: "Listed") -> int:
    """What a model is shown of a tool, as compact JSON."""
    shown = {
        "name": f"mcp__{server}__{tool.name}",
        "description": tool.description,
        "input_schema": tool.input_schema,
    }
    return len(json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode())


def _server(server: ServerView) -> list[RenderableType]:
    heading = server_heading(server.server, server.scope, mandates=server.mandates)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("tool", "effect", "approval", "bytes", "bounds"):
        table.add_column(column, no_wrap=column != "bounds", justify="right" if column == "bytes" else "left")
    for tool in server.tools:
        style = "" if tool.effect == "reads" else "red"
        bounds = "\n".join(bound_text(name, bound) for name, bound in tool.bounds.items())
        table.add_row(tool.tool, Text(tool.effect, style=style), tool.approval, str(tool.bytes), Text(bounds))
    parts: list[RenderableType] = [heading, table]
    for word, names in (("may read", server.resources), ("denied by a rule", server.denied), ("not", server.others)):
        if names:
            parts.append(Text(f"{word}: {', '.join(names)}", style="dim"))
    return parts

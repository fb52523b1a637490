"""`workers/*.md`: one agent each."""

from typing import Annotated

from flotilla_rehearsal import template
from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from . import schemas
from .fields import TOOL_NAME, Capability, FileModel, Name, Version
from .limits import Limits

Bounds = dict[str, dict[str, JsonValue]]


def _check_bounds(value: Bounds) -> Bounds:
    for bounds in value.values():
        for argument, bound in bounds.items():
            if not isinstance(bound, dict):
                raise ValueError(f"the bound of `{argument}` must be a JSON Schema, such as {{const: …}}")
            template.check(bound)
            if not template.attributes(bound, "inputs") | template.attributes(bound, "lookups"):
                schemas.check_schema(bound)  # else it is a schema only once it is filled in
    return value


def _split_tools(value: object) -> object:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


class Worker(FileModel):
    """One agent, in the format of a Claude Code subagent, plus bounds, limits and delegates."""

    name: Name
    description: str = Field(min_length=1, description="what it is for; a lead chooses by it")
    version: Version | None = Field(default=None, description="recorded in every run")
    capabilities: list[Capability] = Field(default=[], description="what it can do, in short phrases")
    model: str | None = None
    tools: Annotated[list[str], BeforeValidator(_split_tools)] | None = Field(
        default=None, description="full names, mcp__SERVER__TOOL; the worker has no other"
    )
    bounds: Annotated[Bounds, AfterValidator(_check_bounds)] = Field(
        default={}, description="by server and argument: a JSON Schema (templates allowed) the argument must satisfy"
    )
    resources: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*://.")]] = Field(
        default=[], description="URIs it may read on its servers; a `*` at the end stands for any text"
    )
    limits: Limits = Limits()
    delegates: list[str] = Field(default=[], description="workers it may delegate to")
    transfers: list[str] = Field(default=[], description="workers it may transfer its case to")
    artifacts: bool = Field(default=False, description="it may write, read and list the artifacts of its run")
    attempts: int = Field(default=2, ge=1, le=5, description="sessions for a task, where trying again is safe")
    fallback: str | None = Field(default=None, description="the worker that gets the task if this one fails at it")
    prompt: str = Field(min_length=1)

    @property
    def reachable_workers(self) -> list[str]:
        """The workers that a task of it can reach: by delegation, by transfer, or as fallback."""
        return [*self.delegates, *self.transfers, *([self.fallback] if self.fallback else [])]

    @property
    def servers(self) -> list[str]:
        """The servers its tools are on."""
        found = [TOOL_NAME.fullmatch(tool) for tool in self.tools or ()]
        return sorted({match["server"] for match in found if match})

    def tools_on(self, server: str) -> list[str]:
        """The short names of its tools on a server, each once."""
        found = [TOOL_NAME.fullmatch(tool) for tool in self.tools or ()]
        return list(dict.fromkeys(match["tool"] for match in found if match and match["server"] == server))

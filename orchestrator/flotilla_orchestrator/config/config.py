"""What the files of a config folder say: `fleet.yaml`, `workers/*.md`, `playbooks/*.yaml`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from flotilla_rehearsal import template
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from . import schemas
from .guardrails import Guardrail, Name, Rule
from .prices import Prices, shipped
from .schemas import ObjectSchema, OutputSchema

TOOL_NAME = re.compile(r"mcp__(?P<server>[a-z0-9_-]+?)__(?P<tool>[A-Za-z0-9_-]+)")
VARIABLE = re.compile(r"\$\{(\w+)\}")
GATE = "gate"  # the in-process server of every session; see session.py
MAX_TASK_CHARS = 50_000  # of what a run or a worker is told to do
ROUTER = "router"  # the agent of `flotilla ask`, and the name of its rehearsal; see router.py

Bounds = dict[str, dict[str, JsonValue]]


def _bounds(value: Bounds) -> Bounds:
    for bounds in value.values():
        for argument, bound in bounds.items():
            if not isinstance(bound, dict):
                raise ValueError(f"the bound of `{argument}` must be a JSON Schema, such as {{const: …}}")
            template.check(bound)
            if not template.attributes(bound, "inputs") | template.attributes(bound, "lookups"):
                schemas.check(bound)  # else it is a schema only once it is filled in
    return value


def _tools(value: object) -> object:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _template(value: str) -> str:
    template.check(value)
    return value


def _templates(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    template.check(value)
    return value


Capability = Annotated[str, Field(min_length=1, max_length=80)]
Version = Annotated[str, Field(pattern=r"^[\w.+-]{1,32}$")]
CallName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(Model):
    """What one session may use at most; what is not said here comes from the fleet's `limits.session`."""

    max_turns: int | None = Field(default=None, ge=1, le=1000, strict=True, description="model calls")
    budget_usd: float | None = Field(default=None, gt=0, le=10_000)
    wall_clock_s: float | None = Field(default=None, gt=0, le=86_400)

    def over(self, defaults: "Limits") -> "Limits":
        """These limits, with `defaults` where nothing is said."""
        return Limits(**{**defaults.model_dump(exclude_none=True), **self.model_dump(exclude_none=True)})


RUN = Limits(max_turns=25, budget_usd=1, wall_clock_s=300)
SESSION = Limits(max_turns=12, budget_usd=0.25, wall_clock_s=120)
SESSION_WAIT_S = 60  # by default, and at a terminal: people answer soon there, or not at all
ROUTER_LIMITS = Limits(max_turns=3, budget_usd=0.05, wall_clock_s=60)


class BreakerLimits(Model):
    """When a server that does not answer is left alone."""

    failures: int = Field(default=3, ge=1, le=100, description="in a row, over all runs, that open its circuit")
    open_s: float = Field(default=60, gt=0, le=86_400, description="how long; then one session may try it")


class ArtifactLimits(Model):
    """How much the workers of a run may write for each other."""

    bytes_each: int = Field(default=256 * 1024, ge=1, le=16 * 1024 * 1024, description="of one, in UTF-8")
    bytes_all: int = Field(default=4 * 1024 * 1024, ge=1, le=256 * 1024 * 1024, description="of all of a run")
    count: int = Field(default=64, ge=1, le=1000)


class FleetLimits(Model):
    """What a run, each of its sessions and each model call may use when no file says otherwise."""

    run: Limits = RUN
    session: Limits = SESSION
    router: Limits = Field(default=ROUTER_LIMITS, description="the session by which `flotilla ask` finds a playbook")
    model_call_s: float = Field(default=30, gt=0, description="how long a model call may take before it is retried")
    retries: int = Field(default=3, ge=0, le=10)
    delegation_depth: int = Field(default=5, ge=1, le=10)
    breaker: BreakerLimits = BreakerLimits()
    artifacts: ArtifactLimits = ArtifactLimits()
    session_wait_s: float | None = Field(
        default=None,
        ge=0,
        le=600,
        description="how long a session keeps its process while its calls wait (default: 60 at a terminal, 10 queued)",
    )
    transcripts_days: int = Field(default=30, ge=1, le=3650, description="what `flotilla runs --prune` keeps")

    @field_validator("run")
    @classmethod
    def _whole_run(cls, given: Limits) -> Limits:
        """A file may name one limit and leave the others at their defaults."""
        return given.over(RUN)

    @field_validator("session")
    @classmethod
    def _whole_session(cls, given: Limits) -> Limits:
        return given.over(SESSION)

    @field_validator("router")
    @classmethod
    def _whole_router(cls, given: Limits) -> Limits:
        return given.over(ROUTER_LIMITS)


class Server(Model):
    """A server to start here (`command`), or one that runs elsewhere (`url`)."""

    command: list[str] | None = Field(default=None, min_length=1)
    env: list[str] = Field(
        default=[], description="variables passed on to the command, besides its own FLOTILLA_NAME_*"
    )
    url: str | None = Field(default=None, pattern=r"^https?://")
    headers: dict[str, str] = Field(default={}, description="values may name variables: `Bearer ${TOKEN}`")
    audience: str | None = Field(
        default=None, min_length=1, description="`aud` of mandates for it (default: its name here)"
    )

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give either `command` (started here) or `url` (runs elsewhere)")
        if self.command and not self.gets_mandates:
            raise ValueError("a server that is started here gets mandates; leave out the header Authorization")
        return self

    @property
    def gets_mandates(self) -> bool:
        """A server with an Authorization header of its own gets none."""
        return not any(name.lower() == "authorization" for name in self.headers)

    @property
    def variables(self) -> list[str]:
        """The environment variables that the headers name."""
        return sorted({name for value in self.headers.values() for name in VARIABLE.findall(value)})


class Models(Model):
    default: str = "sonnet"
    router: str = Field(default="haiku", description="finds the playbook for `flotilla ask`")
    fallbacks: dict[str, str] = Field(default={}, description="who answers when a model is overloaded")


class Fleet(Model):
    servers: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,19}$")], Server]
    models: Models = Models()
    limits: FleetLimits = FleetLimits()
    concurrency: int = Field(
        default=10, ge=1, le=100, description="sessions at once; who waits for a person or for workers has none"
    )
    rules: list[Rule] = []


class Worker(Model):
    """One agent, in the format of a Claude Code subagent, plus bounds, limits and delegates."""

    name: Name
    description: str = Field(min_length=1, description="what it is for; a lead chooses by it")
    version: Version | None = Field(default=None, description="recorded in every run")
    capabilities: list[Capability] = Field(default=[], description="what it can do, in short phrases")
    model: str | None = None
    tools: Annotated[list[str], BeforeValidator(_tools)] | None = Field(
        default=None, description="full names, mcp__SERVER__TOOL; what is not named does not exist for the worker"
    )
    bounds: Annotated[Bounds, AfterValidator(_bounds)] = Field(
        default={}, description="by server and argument: a JSON Schema (templates allowed) the argument must satisfy"
    )
    resources: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*://.")]] = Field(
        default=[], description="URIs it may read on its servers; a `*` at the end stands for any text"
    )
    limits: Limits = Limits()
    delegates: list[str] = Field(default=[], description="workers it may delegate to")
    transfers: list[str] = Field(default=[], description="workers it may hand its case over to, for good")
    artifacts: bool = Field(default=False, description="it may write, read and list the artifacts of its run")
    attempts: int = Field(default=2, ge=1, le=5, description="sessions for a task, where trying again is safe")
    fallback: str | None = Field(default=None, description="the worker that gets the task if this one fails at it")
    prompt: str = Field(min_length=1)

    @property
    def others(self) -> list[str]:
        """Whom a task of it can come to: by delegation, by transfer, or because it failed."""
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


class Example(Model):
    task: str
    inputs: dict[str, JsonValue] = {}
    later: str | None = Field(default=None, description="what comes after it; `flotilla demo --later` plays both")


class ToolCall(Model):
    """A call that a run makes itself, once, without a model."""

    tool: str = Field(description="full name, mcp__SERVER__TOOL")
    arguments: Annotated[dict[str, JsonValue], AfterValidator(_templates)] = {}

    @property
    def server(self) -> str | None:
        match = TOOL_NAME.fullmatch(self.tool)
        return match and match["server"]

    @property
    def short(self) -> str:
        """The tool's name on its server."""
        return self.tool.removeprefix(f"mcp__{self.server}__")


class Step(Model):
    """A task for a worker or (`approve`) a question that a person decides; what it yields, later steps may read."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    needs: list[str] = Field(default=[], description="the steps that have to be done first")
    worker: str | None = None
    task: Annotated[str, Field(min_length=1), AfterValidator(_template)] | None = None
    output: OutputSchema | None = Field(default=None, description="what the worker has to give; default: a text")
    approve: Annotated[str, Field(min_length=1), AfterValidator(_template)] | None = None
    expires_hours: float = Field(default=72, gt=0, le=8760, description="how long a person has for `approve`")
    on_error: Literal["fail", "continue", "retry"] = Field(
        default="fail", description="retry: up to 3 attempts, as long as none has changed anything; then fail"
    )

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        if (self.worker is None) == (self.approve is None):
            raise ValueError("give either `worker` and `task`, or `approve` (a question to a person)")
        if (self.worker is None) != (self.task is None):
            raise ValueError("`worker` and `task` go together")
        if self.approve and (self.output or self.on_error == "retry"):
            raise ValueError("a step with `approve` has no `output` and is not tried again")
        if self.worker and "expires_hours" in self.model_fields_set:
            raise ValueError("`expires_hours` goes with `approve`")
        return self


class Playbook(Model):
    name: Name
    description: str = Field(min_length=1)
    version: Version | None = Field(default=None, description="recorded in every run")
    capabilities: list[Capability] = Field(
        default=[], description="what it can do, in short phrases; `flotilla ask` chooses by it (default: its team's)"
    )
    inputs: ObjectSchema = {"type": "object"}
    lead: str | None = Field(default=None, description="the worker who leads; or else there are `steps`")
    steps: list[Step] = Field(
        default=[], max_length=50, description="those without a path between them run in parallel"
    )
    output: OutputSchema | None = Field(default=None, description="the run's result; with steps it may be left out")
    result: Annotated[dict[str, JsonValue], AfterValidator(_templates)] = Field(
        default={}, description="how `output` is made of steps (default: it is the last step's)"
    )
    lookups: dict[CallName, ToolCall] = Field(
        default={}, description="of tools that only read, before the first session; a later one may use an earlier one"
    )
    after: dict[CallName, ToolCall] = Field(
        default={}, description="once the run has its result; nobody is asked, and what fails here fails no run"
    )
    scope: dict[str, dict[str, Annotated[str, AfterValidator(_template)]]] = Field(
        default={}, description="by server: the records every worker of a run is narrowed to"
    )
    limits: Limits = Limits()
    example: Example | None = Field(default=None, description="what `flotilla demo` runs")

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        if (self.lead is None) == (not self.steps):
            raise ValueError("give either `lead` (a worker) or `steps`")
        if self.lead and self.output is None:
            raise ValueError("`output` is required")
        if self.lead and self.result:
            raise ValueError("`result` goes with `steps`; a lead gives the `output` itself")
        return self

    @property
    def calls(self) -> list[ToolCall]:
        """What its runs call themselves, before and after their sessions."""
        return [*self.lookups.values(), *self.after.values()]

    @property
    def workers(self) -> list[str]:
        """Whom the playbook itself gives work to, each once: its lead, or the workers of its steps."""
        named = [self.lead, *(step.worker for step in self.steps)]
        return list(dict.fromkeys(name for name in named if name))


@dataclass(frozen=True)
class Problem:
    """Something to correct in a config file, or (a note) to know about it."""

    file: Path
    line: int
    message: str
    kind: Literal["error", "note"] = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'note: ' if self.kind == 'note' else ''}{self.message}"


class ConfigError(Exception):
    """The config folder cannot be used; `problems` has all that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Config:
    folder: Path
    fleet: Fleet
    workers: Mapping[str, Worker]
    playbooks: Mapping[str, Playbook]
    notes: tuple[Problem, ...] = ()
    prices: Prices = field(default_factory=shipped)
    guardrails: tuple[Guardrail, ...] = ()

    @property
    def rules(self) -> list[Rule]:
        """Those of `fleet.yaml`, and the guardrails that are about whole tools."""
        return [*self.fleet.rules, *(guardrail.rule for guardrail in self.guardrails if guardrail.rule)]

    def team(self, playbook: Playbook) -> Iterator[Worker]:
        """Whom it gives work to, and everyone whom their tasks can come to, each once."""
        seen: set[str] = set()
        ahead = playbook.workers
        while ahead:
            name = ahead.pop(0)
            if name not in seen:
                seen.add(name)
                yield self.workers[name]
                ahead += self.workers[name].others

    def capabilities(self, playbook: Playbook) -> list[str]:
        """What a playbook can do: its own phrases, else those of its team."""
        team = (phrase for worker in self.team(playbook) for phrase in worker.capabilities)
        return playbook.capabilities or list(dict.fromkeys(team))

    def servers(self, playbook: Playbook) -> list[str]:
        """The servers that a run of the playbook calls."""
        called = {call.server for call in playbook.calls if call.server}
        return sorted(called.union(*(worker.servers for worker in self.team(playbook))))

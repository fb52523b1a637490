"""`playbooks/*.yaml`: who works on a case, with what inputs, and what the result is."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from .fields import (
    STEP_PATTERN,
    TOOL_NAME,
    Capability,
    FileModel,
    Name,
    NonEmptyTemplate,
    TemplateObject,
    TemplateText,
    Version,
)
from .limits import Limits
from .schemas import ObjectSchema, OutputSchema

CallName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Example(FileModel):
    task: str
    inputs: dict[str, JsonValue] = Field(default={})
    later: str | None = Field(default=None, description="what comes after it; `flotilla demo --later` plays both")


class ToolCall(FileModel):
    """A call that a run makes itself, once, without a model."""

    tool: str = Field(description="full name, mcp__SERVER__TOOL")
    arguments: TemplateObject = Field(default={})

    @property
    def server(self) -> str | None:
        match = TOOL_NAME.fullmatch(self.tool)
        return match and match["server"]

    @property
    def tool_name(self) -> str:
        """The tool's name on its server."""
        return self.tool.removeprefix(f"mcp__{self.server}__")


class Step(FileModel):
    """A task for a worker or (`approve`) a question that a person decides; later steps may read its result."""

    id: Annotated[str, Field(pattern=STEP_PATTERN)]
    needs: list[str] = Field(default=[], description="the steps that have to be done first")
    worker: str | None = None
    task: NonEmptyTemplate | None = None
    output: OutputSchema | None = Field(default=None, description="what the worker has to give; default: a text")
    approve: NonEmptyTemplate | None = None
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


class Playbook(FileModel):
    name: Name
    description: str = Field(min_length=1)
    version: Version | None = Field(default=None, description="recorded in every run")
    capabilities: list[Capability] = Field(
        default=[], description="what it can do, in short phrases; `flotilla ask` chooses by it (default: its team's)"
    )
    inputs: ObjectSchema = Field(default={"type": "object"})
    lead: str | None = Field(default=None, description="the worker who leads; or else there are `steps`")
    steps: list[Step] = Field(
        default=[], max_length=50, description="those without a path between them run in parallel"
    )
    output: OutputSchema | None = Field(default=None, description="the run's result; with steps it may be left out")
    result: TemplateObject = Field(
        default={}, description="how `output` is made of steps (default: it is the last step's)"
    )
    lookups: dict[CallName, ToolCall] = Field(
        default={}, description="of tools that only read, before the first session; a later one may use an earlier one"
    )
    after: dict[CallName, ToolCall] = Field(
        default={}, description="once the run has its result; no approval is asked for, and a failure here fails no run"
    )
    scope: dict[str, dict[str, TemplateText]] = Field(
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
        """The calls that its runs make themselves, before and after their sessions."""
        return [*self.lookups.values(), *self.after.values()]

    @property
    def workers(self) -> list[str]:
        """The workers that the playbook names, each once: its lead, or the workers of its steps."""
        named = [self.lead, *(step.worker for step in self.steps)]
        return list(dict.fromkeys(name for name in named if name))

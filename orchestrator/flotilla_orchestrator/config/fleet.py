"""`fleet.yaml`: the servers, models, limits and rules of a fleet."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, JsonValue, model_validator

from .fields import SERVER_PATTERN, FileModel
from .limits import FleetLimits

VARIABLE = re.compile(r"\$\{(\w+)\}")


class Server(FileModel):
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


class Models(FileModel):
    default: str = "sonnet"
    router: str = Field(default="haiku", description="finds the playbook for `flotilla ask`")
    fallbacks: dict[str, str] = Field(default={}, description="who answers when a model is overloaded")


class Conditional(FileModel):
    """What holds in runs with certain inputs, of tools of certain names."""

    when: dict[str, JsonValue] = Field(default={}, description="inputs of the run and their values; none: always")
    tools: list[str] = Field(default=[], description="of calls: full names; `*` stands for any text")

    def matches(self, tool: str) -> bool:
        return any(fnmatchcase(tool, pattern) for pattern in self.tools)

    def holds(self, inputs: Mapping[str, JsonValue]) -> bool:
        return all(name in inputs and inputs[name] == value for name, value in self.when.items())


class Rule(Conditional):
    """Tightens what workers' files grant: `deny` takes tools away, `approve` has each change wait for a person."""

    tools: list[str] = Field(min_length=1, description="full names; `*` stands for any text: mcp__k8s__delete_*")
    effect: Literal["approve", "deny"]


WebhookEvent = Literal["approval.pending", "run.finished"]


class Webhook(FileModel):
    """An address that the service tells of what happens to runs."""

    url: str = Field(pattern=r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])([:/]|$))")
    secret_variable: str = Field(
        pattern=r"^[A-Z][A-Z0-9_]*$", description="names the variable with what it is signed by"
    )
    events: list[WebhookEvent] = Field(default=[*get_args(WebhookEvent)], min_length=1)


class Fleet(FileModel):
    servers: dict[Annotated[str, Field(pattern=SERVER_PATTERN)], Server]
    models: Models = Models()
    limits: FleetLimits = FleetLimits()
    concurrency: int = Field(
        default=10, ge=1, le=100, description="sessions at once; who waits for a person or for workers has none"
    )
    rules: list[Rule] = Field(default=[], description="each tightens what workers are granted")
    webhooks: dict[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")], Webhook] = Field(
        default={}, description="what is told of runs, by `flotilla serve`"
    )

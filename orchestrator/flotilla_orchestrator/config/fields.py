"""What several files of a config folder share: the base of their models, reserved names, patterns and templates."""

import re
from typing import Annotated

from flotilla_rehearsal import template
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

TOOL_NAME = re.compile(r"mcp__(?P<server>[a-z0-9_-]+?)__(?P<tool>[A-Za-z0-9_-]+)")
GATE = "gate"  # the in-process server of every session; see sessions/session.py
ROUTER = "router"  # the agent of `flotilla ask`, and the name of its rehearsal; see routing/router.py
MAX_TASK_CHARS = 50_000  # of the task of a run or of a worker


def _check_template(value: str) -> str:
    template.check(value)
    return value


def _check_templates(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    template.check(value)
    return value


NAME_PATTERN = r"^[a-z][a-z0-9-]{0,39}$"
SERVER_PATTERN = r"^[a-z][a-z0-9-]{0,19}$"
STEP_PATTERN = r"^[a-z][a-z0-9_-]{0,39}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Capability = Annotated[str, Field(min_length=1, max_length=80)]
Version = Annotated[str, Field(pattern=r"^[\w.+-]{1,32}$")]
TemplateText = Annotated[str, AfterValidator(_check_template)]
NonEmptyTemplate = Annotated[str, Field(min_length=1), AfterValidator(_check_template)]
TemplateObject = Annotated[dict[str, JsonValue], AfterValidator(_check_templates)]


class FileModel(BaseModel):
    """A part of a config file: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

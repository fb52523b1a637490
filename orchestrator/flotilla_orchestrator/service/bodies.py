"""What requests may say, as the routes take it; text that no database can keep is refused here."""

from typing import Annotated, Literal, cast

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from ..config.fields import MAX_TASK_CHARS, NAME_PATTERN, SERVER_PATTERN, STEP_PATTERN, Name
from ..run_request import Priority

_MOST_NODES = 10_000
_MOST_DEPTH = 50


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("has a NUL or half a surrogate pair, which cannot be kept")
    return text


def _storable_json(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Not too large, and with nothing in it that JSON or a database cannot say."""
    ahead: list[tuple[object, int]] = [(value, 0)]
    for _ in range(_MOST_NODES):
        if not ahead:
            return value
        found, depth = ahead.pop()
        if depth > _MOST_DEPTH:
            raise ValueError(f"is more than {_MOST_DEPTH} levels deep")
        if isinstance(found, str):
            _storable(found)
        elif isinstance(found, float) and found - found != 0:
            raise ValueError("has a number that JSON does not know")
        elif isinstance(found, dict):
            for name, inside in cast("dict[str, object]", found).items():
                _storable(name)
                ahead.append((inside, depth + 1))
        elif isinstance(found, list):
            ahead += [(inside, depth + 1) for inside in cast("list[object]", found)]
    raise ValueError(f"has more than {_MOST_NODES} values")


Text = Annotated[str, AfterValidator(_storable)]
Inputs = Annotated[dict[str, JsonValue], AfterValidator(_storable_json)]
RunId = Annotated[str, Path(pattern=r"^run_[0-9a-z]{1,60}$", description="the run's id")]
StepId = Annotated[str, Path(pattern=STEP_PATTERN, description="the step that asks")]
ServerName = Annotated[str, Path(pattern=SERVER_PATTERN)]
ApprovalId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
PlaybookName = Annotated[str, Query(pattern=NAME_PATTERN)]
RunState = Literal["queued", "running", "waiting", "paused", "ok", "failed", "interrupted", "cancelled"]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RunBody(Body):
    """A run that is asked for."""

    playbook: Name
    task: Text = Field(min_length=1, max_length=MAX_TASK_CHARS, description="what the case is, in words")
    inputs: Inputs = Field(default={}, description="as the playbook's `inputs` takes them")
    model: Literal["claude", "rehearsal"] = Field(default="claude", description="rehearsal: the scripted model")
    priority: Priority = Field(default="normal", description="which of the runs that wait begins first")


class TextBody(Body):
    """What a person says to a run's lead."""

    text: Text = Field(min_length=1, max_length=MAX_TASK_CHARS)


class DecisionBody(Body):
    """What a person has decided."""

    decision: Literal["approve", "reject"]
    reason: Text = Field(default="", max_length=1000, description="told to whoever asked, and kept")

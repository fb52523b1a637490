"""Scripts: what the scripted model answers, as YAML or as data. `docs/rehearsal.md` is the reference."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from flotilla_rehearsal import template
from flotilla_rehearsal.suggestions import did_you_mean
from flotilla_rehearsal.yaml_loader import LOADER

Misbehaviour = Literal["never", "malformed", "truncated", "bad_arguments", 401, 429, 500, 529]


class ScriptError(ValueError):
    """A script that cannot be loaded or played: place, problem and, where there is one, the fix."""


Value = TypeVar("Value", bound=JsonValue)
Item = TypeVar("Item")


def _check_templates(value: Value) -> Value:
    template.check(value)
    return value


def _mapping_or_template(value: JsonValue) -> JsonValue:
    if not isinstance(value, dict | str):
        raise ValueError("a mapping, or a template that yields one")
    return value


def _not_empty(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise ValueError("at least one is needed")
    return items


Template = Annotated[str, AfterValidator(_check_templates)]
Arguments = Annotated[dict[str, JsonValue], AfterValidator(_check_templates)]
Result = Annotated[JsonValue, AfterValidator(_mapping_or_template), AfterValidator(_check_templates)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Call(_Strict):
    """One tool call; its result is `results.<id>` in later templates."""

    call: str = Field(min_length=1)
    id: str = Field(default="", pattern=r"^\w*$")
    arguments: Arguments = {}

    @property
    def key(self) -> str:
        return self.id or self.call.rsplit("__", 1)[-1]


class Turn(_Strict):
    """One answer of the model."""

    condition: Template | None = Field(default=None, alias="if")
    say: Template | None = None
    call: str | None = Field(default=None, min_length=1)
    id: str | None = Field(default=None, pattern=r"^\w+$")
    arguments: Arguments | None = None
    calls: Annotated[tuple[Call, ...], AfterValidator(_not_empty)] = ()
    result: Result = None
    misbehave: Misbehaviour | None = None
    times: int | None = Field(default=None, ge=1)
    delay_s: float = Field(default=0, ge=0)
    stream_s: float = Field(default=0, ge=0)
    retries: int = Field(default=0, ge=0)

    @property
    def tool_calls(self) -> tuple[Call, ...]:
        if self.call is None:
            return self.calls
        return (Call(call=self.call, id=self.id or "", arguments=self.arguments or {}),)

    def retry(self, failed: Collection[str]) -> "Turn":
        """The turn that makes the calls of these keys again."""
        again = tuple(call for call in self.tool_calls if call.key in failed)
        plain = {"say": None, "call": None, "id": None, "arguments": None}
        return self.model_copy(update={**plain, "calls": again, "retries": self.retries - 1})

    @model_validator(mode="after")
    def _is_one_answer(self) -> Self:
        acts = [name for name in ("call", "calls", "result") if name in self.model_fields_set]
        if len(acts) > 1:
            raise ValueError(f"a turn has one of call, calls, result, not {' and '.join(acts)}")
        if self.call is None and (self.id or self.arguments is not None):
            raise ValueError("`id` and `arguments` belong to a `call`")
        if self.retries and not self.tool_calls:
            raise ValueError("`retries` belongs to `call` or `calls`")
        if self.times and self.misbehave is None:
            raise ValueError("`times` belongs to `misbehave`")
        if self.misbehave == "bad_arguments" and not self.tool_calls:
            raise ValueError("`misbehave: bad_arguments` needs a `call`")
        silent = self.misbehave in ("never", "malformed") or isinstance(self.misbehave, int)
        if not acts and self.say is None and (not silent or self.times):
            raise ValueError("a turn needs `say`, `call`, `calls` or `result`")
        keys = [call.key for call in self.tool_calls]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise ValueError(f"two calls of one turn share the id {min(twice)!r}; give each its own `id`")
        return self


class Script(_Strict):
    """What one agent does with a task that matches `when` (any task, when that is absent)."""

    when: str | None = None
    turns: Annotated[tuple[Turn, ...], AfterValidator(_not_empty)]

    @field_validator("when")
    @classmethod
    def _compiles(cls, when: str | None) -> str | None:
        try:
            re.compile(when or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return when


class Scripts(_Strict):
    """The scripts of one rehearsal, by agent; an agent's first match wins."""

    name: str = Field(min_length=1)
    agents: dict[str, Annotated[tuple[Script, ...], AfterValidator(_not_empty)]]


ScriptSource = str | Path | Mapping[str, object] | Scripts
"""YAML text, a file of it, or the same as data."""


def read(source: ScriptSource) -> Scripts:
    """Scripts from any of their forms.

    Raises:
        ScriptError: with every problem found, one a line.
    """
    match source:
        case Scripts():
            return source
        case Path():
            return load(source)
        case str():
            return parse(source)
        case _:
            try:
                return Scripts.model_validate(source)
            except ValidationError as error:
                raise ScriptError("\n".join(map(_describe, error.errors()))) from error


def load(path: Path) -> Scripts:
    """Scripts from a file.

    Raises:
        ScriptError: with every problem found, one a line, each as `file:line: problem; fix`.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScriptError(f"{path}: not valid YAML: {error}") from error


def parse(text: str, name: str = "script") -> Scripts:
    """Scripts from YAML text.

    Args:
        name: what problems call the text.

    Raises:
        ScriptError: with every problem found, one a line, each as `name:line: problem; fix`.
    """
    try:
        data: object = yaml.load(text, LOADER)
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        place = f"{name}:{mark.line + 1}" if mark else name
        raise ScriptError(f"{place}: not valid YAML: {getattr(error, 'problem', error)}") from error
    try:
        return Scripts.model_validate(data)
    except ValidationError as error:
        tree = yaml.compose(text, LOADER)
        lines = [f"{name}:{_line(tree, problem['loc'])}: {_describe(problem)}" for problem in error.errors()]
        raise ScriptError("\n".join(lines)) from error


def _line(node: yaml.Node | None, place: Sequence[str | int]) -> int:
    """The line (from 1) of the deepest part of `place` that is in the file."""
    line = node.start_mark.line if node else 0
    for step in place:
        match node, step:
            case yaml.MappingNode(value=pairs), str():
                found = next((pair for pair in pairs if pair[0].value == step), None)
                if not found:
                    break
                line, node = found[0].start_mark.line, found[1]
            case yaml.SequenceNode(value=items), int():
                item = items[step]
                line, node = item.start_mark.line, item
            case _:
                break
    return line + 1


def _describe(problem: ErrorDetails) -> str:
    if problem["type"] != "extra_forbidden":
        where = ".".join(map(str, problem["loc"]))
        return f"{where}: {problem['msg'].removeprefix('Value error, ')}".removeprefix(": ")
    name = str(problem["loc"][-1])
    known = [field.alias or key for model in (Turn, Script, Scripts) for key, field in model.model_fields.items()]
    return f"unknown key `{name}`{did_you_mean(name, known)}"

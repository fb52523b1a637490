"""A request for a run: a playbook, a task and inputs, checked before anything is started or recorded."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jsonschema
from flotilla_rehearsal.suggestions import did_you_mean
from pydantic import JsonValue

from .config.config import Config
from .config.fields import MAX_TASK_CHARS
from .config.playbooks import Playbook
from .errors import Failure
from .mandates.guardrails import Guardrails, Trigger

REQUESTED_BY = "requested_by"  # of a run's `setting`, and of its span: who asked for it over the API


Priority = Literal["high", "normal", "low"]
"""Which of the runs that wait in the queue begins first."""
PRIORITIES: dict[Priority, int] = {"high": 1, "normal": 2, "low": 3}
"""The lowest goes first; 0 is of what has begun."""


def new_run_id() -> str:
    return f"run_{secrets.token_hex(5)}"


@dataclass(frozen=True)
class RunRequest:
    """A run as it was asked for. `setting` is for whoever opens it; `model` is `claude` or `rehearsal`."""

    run_id: str
    playbook: str
    model: str
    task: str
    inputs: dict[str, JsonValue]
    setting: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    guardrails: list[Trigger] = field(default_factory=list[Trigger])
    """What guardrails found in what was asked for; it is redacted here."""
    priority: Priority = "normal"


def checked_request(config: Config, request: RunRequest, follow: str | None = None) -> tuple[RunRequest, str | None]:
    """The request, and what its lead is to do in a further turn, as models and people may see them.

    Raises:
        Failure: `invalid_input`; `denied_by_guardrail`. Nothing is to be started or recorded.
    """
    checked = Guardrails(config.guardrails, request.inputs).check("input", [request.task, request.inputs, follow])
    task, inputs, follow = checked.require()
    check_inputs(config, request.playbook, task, inputs)
    found = request.guardrails + [trigger for trigger in checked.triggered if trigger not in request.guardrails]
    return replace(request, task=task, inputs=inputs, guardrails=found), follow


def check_inputs(config: Config, playbook: str, task: str, inputs: Mapping[str, JsonValue]) -> None:
    """Raises Failure `invalid_input` unless the playbook exists and takes this task and these inputs."""
    if playbook not in config.playbooks:
        closest = did_you_mean(playbook, config.playbooks)
        raise Failure("invalid_input", f"There is no playbook `{playbook}`{closest}", f"See {config.folder}/playbooks.")
    check_task(task)
    check_input_values(config.playbooks[playbook], inputs)


def check_task(task: str) -> None:
    """Raises Failure `invalid_input` unless the task has text, and not too much of it."""
    if not task.strip():
        raise Failure("invalid_input", "The task is empty.", "Say what the case is, as text or with --task-file.")
    if len(task) > MAX_TASK_CHARS:
        raise Failure("invalid_input", f"The task has {len(task)} characters; {MAX_TASK_CHARS} are the most.")


def check_input_values(playbook: Playbook, inputs: Mapping[str, JsonValue]) -> None:
    """Raises Failure `invalid_input` unless the playbook takes these inputs."""
    for error in input_errors(playbook, inputs):
        where = ".".join(str(part) for part in error.absolute_path)
        message = f"input {where}: {error.message}" if where else f"inputs: {error.message}"
        names = ", ".join(playbook.inputs["properties"])
        raise Failure("invalid_input", message, f"Give --input NAME=VALUE for: {names}.")


def input_errors(playbook: Playbook, inputs: Mapping[str, JsonValue]) -> Iterator[jsonschema.ValidationError]:
    """What is wrong with the inputs of a run."""
    return jsonschema.Draft202012Validator(playbook.inputs).iter_errors(dict(inputs))  # pyright: ignore[reportUnknownMemberType]  # untyped in its stub


def parse_inputs(given: Sequence[str], schema: Mapping[str, Any]) -> dict[str, JsonValue]:
    """`NAME=VALUE` pairs; a value whose schema is not text is read as JSON."""
    inputs: dict[str, JsonValue] = {}
    for name, value in parse_pairs(given):
        kind = schema.get("properties", {}).get(name, {}).get("type", "string")
        try:
            inputs[name] = value if kind == "string" else json.loads(value)
        except ValueError:
            raise Failure("invalid_input", f"--input {name}: {value!r} is no {kind}.") from None
    return inputs


def parse_pairs(given: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and values of `NAME=VALUE`."""
    for pair in given:
        name, found, value = pair.partition("=")
        if not found:
            raise Failure("invalid_input", f"--input takes NAME=VALUE; {pair!r} is not that.")
        yield name, value

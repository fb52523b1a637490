"""What may follow from a request in free words: rules over what a router proposes.

The words of the request are data. Whatever they say, the router can only name playbooks that there are, with inputs
that satisfy their schemas and whose values the person wrote or the playbook lists; and it cannot write a word that a
run's agents read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from flotilla_kit.terminal.output import visible
from flotilla_rehearsal.suggestions import did_you_mean
from pydantic import JsonValue

from ..config.config import Config
from ..config.playbooks import Playbook
from ..errors import Failure
from ..journal.journal import Run
from ..run_request import check_input_values, parse_inputs

SURE = 0.6  # below, a person is asked


@dataclass(frozen=True)
class Request:
    """What a person wrote: the request, the inputs given beside it, and an answer to a question."""

    text: str
    given: Mapping[str, str]
    """By name, as written."""
    answer: str = ""

    @property
    def words(self) -> str:
        return f"{self.text.strip()}\n\n{self.answer}".strip()

    def has(self, value: JsonValue) -> bool:
        """Whether the person wrote this value, as a word of its own."""
        text = value if isinstance(value, str) else json.dumps(value)
        whole = rf"(?<![\w.@-]){re.escape(text)}(?![\w-]|[.@]\w)"
        return text in self.given.values() or bool(re.search(whole, self.words))


@dataclass(frozen=True)
class Choice:
    playbook: str
    inputs: Mapping[str, JsonValue]
    task: str


@dataclass(frozen=True)
class Route:
    """What is to be run, in this order, and why."""

    choices: tuple[Choice, ...]
    reason: str
    confidence: float
    run_id: str
    """Of the record of how it was found."""
    model: str

    def as_dict(self) -> dict[str, JsonValue]:
        return {**asdict(self), "choices": [{**asdict(choice)} for choice in self.choices]}


class Unclear(Failure):
    """Nothing runs before a person has answered `message`."""

    def __init__(self, question: str, answer: Mapping[str, JsonValue]) -> None:
        details = {name: answer[name] for name in ("choice", "reason", "confidence")}
        super().__init__(
            "unclear", visible(question), "Ask again with the answer in the text, or as --input.", details=details
        )


def decided(config: Config, request: Request, run: Run, answer: Mapping[str, JsonValue]) -> Route:
    """What a router's answer comes to.

    Args:
        run: the record of how it was found.
        answer: `{choice: [{playbook, inputs, task}], reason, confidence, question}`, of these types.

    Raises:
        Unclear: a person has to say more first.
        Failure: `no_playbook`, `unknown_playbook`, `invalid_input`: the request cannot be run.
    """
    proposed, question, confidence = answer["choice"], answer.get("question"), answer["confidence"]
    assert isinstance(proposed, list) and isinstance(confidence, int | float), "the session checked the schema"
    reason = visible(answer["reason"])
    if question and isinstance(question, str):
        raise Unclear(question, answer)
    if not proposed:
        raise _none_fits(config, reason)
    choices = tuple(_choice(config, request, item, answer) for item in proposed if isinstance(item, dict))
    if confidence < SURE:
        names = " and ".join(dict.fromkeys(choice.playbook for choice in choices))
        raise Unclear(f"Is this what you want: {names}? {reason}", answer)
    unused = [name for name in request.given if not any(name in choice.inputs for choice in choices)]
    if unused:
        playbooks = ", ".join(choice.playbook for choice in choices)
        raise Failure("invalid_input", f"No input `{unused[0]}` is taken by {playbooks}.", "Leave out --input for it.")
    if len(choices) == 1:  # all of it, in the person's own words
        choices = (replace(choices[0], task=request.words),)
    return Route(choices, reason, confidence, run.run_id, run.model)


def _choice(config: Config, request: Request, item: Mapping[str, JsonValue], answer: Mapping[str, JsonValue]) -> Choice:
    name, proposed, task = str(item["playbook"]), item["inputs"], str(item["task"])
    assert isinstance(proposed, dict), "the session checked the schema"
    if name not in config.playbooks:
        known = did_you_mean(name, config.playbooks)
        there = ", ".join(config.playbooks)
        message = f"The router named `{visible(name[:64])}`, which is no playbook{known}"
        raise Failure("unknown_playbook", message, f"There is: {there}.")
    playbook = config.playbooks[name]
    given = _given(request, playbook)
    inputs = {**given, **proposed}
    for field, value in inputs.items():
        schema = _properties(playbook).get(field)
        if schema is None and field not in given:
            raise Unclear(f"{name} takes no input `{field}`; what did you mean by it?", answer)
        invented = [leaf for leaf in _leaves(value) if not (_listed(leaf, schema or {}) or request.has(leaf))]
        if invented:
            shown = json.dumps(invented[0], ensure_ascii=False)[:80]
            raise Unclear(f"`{field}` of {name}: which one? You did not write {shown}.", answer)
        if field in given and given[field] != value:
            raise Unclear(f"`{field}` of {name}: the text and --input say different things; which one?", answer)
    try:
        check_input_values(playbook, inputs)
    except Failure as failure:
        raise Unclear(f"{name}: {failure.message}", answer) from failure
    return Choice(name, inputs, _excerpt(request, task))


def _given(request: Request, playbook: Playbook) -> dict[str, JsonValue]:
    """The given inputs that the playbook takes, as its schema has them."""
    known = _properties(playbook) or request.given  # a playbook that names none takes any
    pairs = [f"{name}={value}" for name, value in request.given.items() if name in known]
    return parse_inputs(pairs, playbook.inputs)


def _properties(playbook: Playbook) -> dict[str, dict[str, JsonValue]]:
    return playbook.inputs.get("properties", {})


def _leaves(value: JsonValue) -> Iterator[str | int | float]:
    """The values to be found in the request; yes, no and nothing stand for too many words."""
    match value:
        case None | bool():
            pass
        case list():
            for item in value:
                yield from _leaves(item)
        case dict():
            for item in value.values():
                yield from _leaves(item)
        case _:
            yield value


def _listed(value: JsonValue, schema: Mapping[str, JsonValue]) -> bool:
    """The playbook itself lists the value, so that it cannot be an invented one."""
    listed = schema.get("enum")
    return (isinstance(listed, list) and value in listed) or ("const" in schema and schema["const"] == value)


def _excerpt(request: Request, task: str) -> str:
    """A part of the request, if the router copied it word for word; else all of it."""
    copied = " ".join(task.split())
    return copied if copied and copied in " ".join(request.words.split()) else request.words


def _none_fits(config: Config, reason: str) -> Failure:
    there = "\n".join(f"- {playbook.name}: {playbook.description}" for playbook in config.playbooks.values())
    details: dict[str, JsonValue] = {"reason": reason, "playbooks": [*config.playbooks]}
    return Failure("no_playbook", f"No playbook covers this: {reason}", f"There is:\n{there}", details=details)

"""The scripted model: from the message history in a request to its next answer. Pure, and without memory.

Which turn comes next is replayed from the history alone, so a session resumed in another process continues where it
was, and any number of sessions of one agent run at once.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from pydantic import BaseModel, JsonValue

from flotilla_rehearsal import template
from flotilla_rehearsal.script import Script, ScriptError, Turn

NAME = "rehearsal"
_NO_ANSWER = "No response requested."  # the CLI's own words between what was interrupted and the prompt to go on
RESULT_TOOL = "StructuredOutput"  # the CLI offers it when a session asks for structured output


class Block(BaseModel):
    """A content block: what a script can see of it."""

    type: str
    text: str = ""
    id: str = ""
    tool_use_id: str = ""
    content: "str | list[Block] | None" = None
    is_error: bool | None = None


class Message(BaseModel):
    role: str
    content: str | list[Block]


class Tool(BaseModel):
    name: str
    defer_loading: bool = False  # the model does not see it yet


class Request(BaseModel):
    """A Messages API request: the part an answer depends on."""

    model: str = ""
    messages: list[Message]
    system: str | list[Block] = ""
    tools: list[Tool] = []
    stream: bool = False

    @property
    def task(self) -> str:
        """Text of the first user message, without the reminders the CLI may put before it."""
        first = next((message for message in self.messages if message.role == "user"), None)
        blocks = _blocks(first.content if first else None)
        return _text([block for block in blocks if not block.text.startswith("<system-reminder>")])

    @property
    def answers(self) -> Iterator[tuple[list[Block], list[Block]]]:
        """What the model answered so far, each with the reply it got."""
        answer: list[Block] = []
        reply: list[Block] = []
        for message in self.messages:
            if message.role == "assistant":
                if _text(_blocks(message.content)) == _NO_ANSWER:
                    continue
                if reply:
                    yield answer, reply
                    answer, reply = [], []
                answer += _blocks(message.content)
            elif answer:  # of a user, or `system`: what hooks of the session add
                reply += _blocks(message.content)
        if answer:
            yield answer, reply


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class ToolUse:
    id: str
    name: str
    input: dict[str, JsonValue]


@dataclass(frozen=True)
class Step:
    """The turn that answers a request, and what its templates see."""

    script: int
    number: int  # from 1
    turn: Turn
    context: Mapping[str, JsonValue]


def next_step(scripts: Sequence[Script], request: Request) -> Step:
    """Find the turn that answers `request`.

    Raises:
        ScriptError: no script matches the task, its turns have run out, or an `if` fails.
    """
    task = request.task
    matching = (n for n, script in enumerate(scripts) if re.search(script.when or "", task, re.IGNORECASE))
    index = next(matching, None)
    if index is None:
        raise ScriptError(f"no script's `when` matches the task {task[:200]!r}; add one without `when`, last")
    results: dict[str, JsonValue] = {}
    errors: dict[str, JsonValue] = {}
    context: dict[str, JsonValue] = {
        "task": task,
        "system": _text(_blocks(request.system)),
        "results": results,
        "errors": errors,
        "heard": "",
    }
    turns = iter(enumerate(scripts[index].turns, 1))
    for answer, reply in request.answers:
        context["heard"] = f"{context['heard']}\n{_text(reply)}".strip()
        _, turn = _advance(turns, context)
        for key, failed, value in _outcomes(turn, answer, reply):
            context["last"] = value
            kept, dropped = (errors, results) if failed else (results, errors)
            kept[key] = value
            dropped.pop(key, None)
    number, turn = _advance(turns, context)
    return Step(index, number, turn, context)


def content(step: Step, request: Request) -> list[Text | ToolUse]:
    """The content blocks of the answer.

    Raises:
        ScriptError: a template fails, or `result` yields something other than an object.
    """
    turn = step.turn
    blocks: list[Text | ToolUse] = []
    try:
        if turn.say is not None:
            blocks.append(_say(template.render(turn.say, step.context)))
        if turn.result is not None:
            result = template.render(turn.result, step.context)
            if not isinstance(result, dict):
                raise ScriptError(f"turn {step.number}: `result` yields {_json(result)[:100]}, not an object")
            offered = any(tool.name == RESULT_TOOL for tool in request.tools)
            blocks.append(_tool_use(0, RESULT_TOOL, result) if offered else _say(result))
        for index, call in enumerate(turn.tool_calls):
            arguments = {key: template.render(value, step.context) for key, value in call.arguments.items()}
            blocks.append(_tool_use(index, call.call, arguments))
    except template.TemplateError as error:
        raise ScriptError(f"turn {step.number}: {error}") from error
    return blocks


def _advance(turns: Iterator[tuple[int, Turn]], context: Mapping[str, JsonValue]) -> tuple[int, Turn]:
    """The next turn whose `if` holds."""
    for number, turn in turns:
        try:
            if turn.condition is None or template.render(turn.condition, context):
                return number, turn
        except template.TemplateError as error:
            raise ScriptError(f"turn {number}: {error}") from error
    last = f"; the last result was {_json(context['last'])[:200]}" if "last" in context else ""
    raise ScriptError(f"the script has run out of turns{last}")


def _outcomes(turn: Turn, answer: list[Block], reply: list[Block]) -> Iterator[tuple[str, bool, JsonValue]]:
    """For each call of `turn` that was answered: its id, whether it failed, its value."""
    keys = [call.key for call in turn.tool_calls] or [RESULT_TOOL]
    results = {block.tool_use_id: block for block in reply if block.type == "tool_result"}
    for block in answer:
        index = _CALL_INDEX.match(block.id)
        result = results.get(block.id)
        if index and result:
            yield keys[int(index[1])], bool(result.is_error), parsed(_text(_blocks(result.content)))


# The position among the turn's calls is part of the id: the CLI can drop calls from the history (deferred ones).
_CALL_INDEX = re.compile(r"toolu_(\d\d)")


def _tool_use(index: int, name: str, arguments: dict[str, JsonValue]) -> ToolUse:
    call_id = f"toolu_{index:02d}{uuid4().hex[:22]}"
    return ToolUse(call_id, name, arguments)


def _say(value: JsonValue) -> Text:
    return Text(value if isinstance(value, str) else _json(value))


def parsed(text: str) -> JsonValue:
    """What templates see of a call's result: the JSON, when it is JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def _blocks(content: str | list[Block] | None) -> list[Block]:
    return [Block(type="text", text=content)] if isinstance(content, str) else content or []


def _text(blocks: Sequence[Block]) -> str:
    return "\n".join(block.text for block in blocks if block.type == "text")

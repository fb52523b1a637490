"""The scripted model: from the message history in a request to its next answer. Pure, and without memory.

Which turn comes next is replayed from the history alone, so a session resumed in another process continues where it
was, and any number of sessions of one agent run at once.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from pydantic import JsonValue

from flotilla_rehearsal import template
from flotilla_rehearsal.messages_api import RESULT_TOOL, Block, MessagesRequest, Text, ToolUse, blocks_of, text_of
from flotilla_rehearsal.script import Script, ScriptError, Turn


@dataclass(frozen=True)
class ScriptedTurn:
    """The turn of a script that answers a request, and the names its templates can use."""

    script_index: int
    number: int  # from 1
    turn: Turn
    context: Mapping[str, JsonValue]


def next_turn(scripts: Sequence[Script], request: MessagesRequest) -> ScriptedTurn:
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
        "system": request.system_text,
        "results": results,
        "errors": errors,
        "heard": "",
    }
    turns = iter(enumerate(scripts[index].turns, 1))
    again: tuple[int, Turn] | None = None
    for answer, reply in request.exchanges:
        context["heard"] = f"{context['heard']}\n{text_of(reply)}".strip()
        number, turn = again or _following_turn(turns, context)
        retried: set[str] = set()
        for key, failed, value in _outcomes(turn, answer, reply):
            context["last"] = value
            outcomes, others = (errors, results) if failed else (results, errors)
            outcomes[key] = value
            others.pop(key, None)
            if failed and turn.retries and _may_be_retried(value):
                retried.add(key)
        again = (number, turn.retry(retried)) if retried else None
    number, turn = again or _following_turn(turns, context)
    return ScriptedTurn(index, number, turn, context)


def answer_content(scripted: ScriptedTurn, request: MessagesRequest) -> list[Text | ToolUse]:
    """The content blocks of the answer.

    Raises:
        ScriptError: a template fails, or `result` yields something other than an object.
    """
    turn = scripted.turn
    blocks: list[Text | ToolUse] = []
    try:
        if turn.say is not None:
            blocks.append(_text_block(template.render(turn.say, scripted.context)))
        if turn.result is not None:
            result = template.render(turn.result, scripted.context)
            if not isinstance(result, dict):
                raise ScriptError(f"turn {scripted.number}: `result` yields {_json(result)[:100]}, not an object")
            offered = any(tool.name == RESULT_TOOL for tool in request.tools)
            blocks.append(_tool_use(0, RESULT_TOOL, result) if offered else _text_block(result))
        for index, call in enumerate(turn.tool_calls):
            arguments = {key: template.render(value, scripted.context) for key, value in call.arguments.items()}
            blocks.append(_tool_use(index, call.call, arguments))
    except template.TemplateError as error:
        raise ScriptError(f"turn {scripted.number}: {error}") from error
    return blocks


def _following_turn(turns: Iterator[tuple[int, Turn]], context: Mapping[str, JsonValue]) -> tuple[int, Turn]:
    """The next turn whose `if` holds, with its number."""
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
            yield keys[int(index[1])], bool(result.is_error), json_or_text(text_of(blocks_of(result.content)))


def _may_be_retried(error: JsonValue) -> bool:
    """Whether the error says so, or is no answer of the tool's but of a connection that failed."""
    if isinstance(error, dict):
        return error.get("retryable") is True
    return isinstance(error, str) and _NO_ANSWER.match(error) is not None


# How the CLI begins what it says of a connection that failed.
_NO_ANSWER = re.compile(r"(E[A-Z]{4,}|FailedToOpenSocket|Connection[A-Z]\w+): ")

# The position among the turn's calls is part of the id: the CLI can drop calls from the history (deferred ones).
_CALL_INDEX = re.compile(r"toolu_(\d\d)")


def _tool_use(index: int, name: str, arguments: dict[str, JsonValue]) -> ToolUse:
    call_id = f"toolu_{index:02d}{uuid4().hex[:22]}"
    return ToolUse(call_id, name, arguments)


def _text_block(value: JsonValue) -> Text:
    return Text(value if isinstance(value, str) else _json(value))


def json_or_text(text: str) -> JsonValue:
    """What templates see of a call's result: the JSON, when it is JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)

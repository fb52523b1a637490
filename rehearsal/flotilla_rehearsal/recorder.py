"""Records sessions of the Agent SDK as a script, without their secrets. `docs/rehearsal.md` says how."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml
from claude_agent_sdk import (
    AssistantMessage,
    Message,
    ResultMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)
from pydantic import JsonValue

from flotilla_rehearsal.ids import ID, IdSources, value_as_template
from flotilla_rehearsal.messages_api import RESULT_TOOL
from flotilla_rehearsal.script import Scripts
from flotilla_rehearsal.scripted_model import json_or_text
from flotilla_rehearsal.secret_filter import REMOVED, SecretFilter

_SYNTHETIC = "<synthetic>"  # the "model" of what the CLI says itself, such as an API error
_WHEN_WORDS = 6  # so many words of a task are enough to recognise it by, for a person reading the script


@dataclass
class _Answer:
    """One answer of a model."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    """By the message's id: a session that goes on may repeat what it said before."""
    calls: dict[str, ToolUseBlock] = field(default_factory=dict[str, ToolUseBlock])
    session_stopped: bool = False
    """The session ended after it, or waited for another prompt."""

    @property
    def text(self) -> str:
        return "\n".join(text for text in self.texts.values() if text.strip())


class RecordingError(ValueError):
    """A recording that cannot be written where it should go."""


class RecordedSession:
    """What is recorded of one session; `Recorder.session` makes it."""

    def __init__(self, agent: str, task: str, structured_output: bool) -> None:
        self.agent = agent
        self.task = task
        self.structured_output = structured_output
        self.answers: dict[str, _Answer] = {}
        self.results: dict[str, ToolResultBlock] = {}

    def add(self, message: Message) -> None:
        """Record a message, as the Agent SDK yields it."""
        match message:
            case AssistantMessage() if message.model != _SYNTHETIC:
                answer = self.answers.setdefault(message.message_id or message.uuid or "", _Answer())
                texts = [block.text for block in message.content if isinstance(block, TextBlock)]
                answer.texts.update({f"{message.uuid}/{at}": text for at, text in enumerate(texts)})
                answer.calls.update({block.id: block for block in message.content if isinstance(block, ToolUseBlock)})
            case UserMessage(content=list() as blocks):
                answered = [block for block in blocks if isinstance(block, ToolResultBlock)]
                self.results.update({block.tool_use_id: block for block in answered})
            case ResultMessage() if self.answers:
                list(self.answers.values())[-1].session_stopped = True
            case _:
                pass


class Recorder:
    """Collects the sessions of one run and writes them as a script.

    Args:
        file: where the script goes.
        secrets: what is removed from it.

    Raises:
        RecordingError: the file is there already, or has no folder.
    """

    def __init__(self, file: Path, secrets: SecretFilter) -> None:
        if file.exists():
            raise RecordingError(f"{file} is there already.")
        if not file.parent.is_dir():
            raise RecordingError(f"There is no folder {file.parent}.")
        self.file = file
        self._secrets = secrets
        self._sessions: dict[str, RecordedSession] = {}

    def session(self, session_id: str, *, agent: str, task: str, structured_output: bool = False) -> RecordedSession:
        """The recording of a session: a new one, or that of the same id, which goes on.

        Args:
            session_id: any name that no other session of the run has.
            task: the session's first prompt.
            structured_output: the session was given an output format.
        """
        return self._sessions.setdefault(session_id, RecordedSession(agent, task, structured_output))

    def write(self, name: str, origin: str) -> str:
        """Write the script.

        Args:
            name: the script's own.
            origin: which run it is of, for its first line.

        Returns:
            What became of it, in words.
        """
        sessions = [session for session in self._sessions.values() if session.answers]
        if not sessions:
            return "no model said anything, so there is none"
        scripts = [(session, self._turns(session)) for session in _last_of_each_task(sessions)]
        removed = self._secrets.removed  # before the tasks, which are searched as well but not written
        agents: dict[str, list[JsonValue]] = {}
        for session, turns in scripts:
            others = [other for other in sessions if other.agent == session.agent and other.task != session.task]
            when: dict[str, JsonValue] = {"when": self._when(session, others)} if others else {}
            agents.setdefault(session.agent, []).append({**when, "turns": turns})
        script = {"name": name, "agents": agents}
        Scripts.model_validate(script)
        head = f"# Recorded from {origin}. Removed: {removed}. Read it before you share it.\n"
        self.file.touch(0o600, exist_ok=False)
        text = yaml.dump(script, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**20)
        self.file.write_text(head + text, encoding="utf-8")
        return f"{self.file} (removed: {removed})"

    def _turns(self, session: RecordedSession) -> list[JsonValue]:
        sources = IdSources(session.task)
        turns: list[JsonValue] = []
        used: set[str] = set()
        text = ""
        answers = list(session.answers.values())
        for answer in answers:
            calls = [call for call in answer.calls.values() if call.id in session.results or answer is answers[-1]]
            text = f"{text}{answer.text}"
            if not calls and answer is not answers[-1] and not (answer.session_stopped or session.structured_output):
                continue  # cut off on its way: the next answer goes on from here
            turn: dict[str, JsonValue] = {"say": self._clean(text, sources)} if text else {}
            text = ""
            if [call.name for call in calls] == [RESULT_TOOL]:
                turn["result"] = self._clean(calls[0].input, sources)
                keys = [RESULT_TOOL]
            else:
                keys = [_unused_id(call, used) for call in calls]
                made = [self._call(call, key, sources) for call, key in zip(calls, keys, strict=True)]
                turn |= made[0] if len(made) == 1 else {"calls": cast("JsonValue", made)} if made else {}
            if turn or answer is answers[-1]:
                turns.append(turn or {"say": ""})
            for call, key in zip(calls, keys, strict=True):
                if result := session.results.get(call.id):
                    outcomes = "errors" if result.is_error else "results"
                    sources.add(f"{outcomes}.{key}", json_or_text(_result_text(result)))
        return turns

    def _call(self, call: ToolUseBlock, key: str, sources: IdSources) -> dict[str, JsonValue]:
        own: dict[str, JsonValue] = {"id": key} if key != call.name.rsplit("__", 1)[-1] else {}
        return {"call": call.name, **own, "arguments": self._clean(call.input, sources)}

    def _clean(self, value: JsonValue, sources: IdSources) -> JsonValue:
        """As templates, without secrets. An e-mail address that comes from somewhere is a template by then."""
        known = _map_texts(value, self._secrets.without_credentials, self._secrets)
        return _map_texts(value_as_template(known, sources), self._secrets.without_secrets, self._secrets)

    def _when(self, session: RecordedSession, others: list[RecordedSession]) -> str:
        """A pattern for the beginning of the task, as long as it takes to match no other task of the agent.

        Ids may differ in a replay where that is enough.
        """
        own, *rest = [self._secrets.without_secrets(each.task).split() for each in (session, *others)]
        enough = max(_WHEN_WORDS, *(_common_length(own, other) + 1 for other in rest))
        begins = [
            r"\A\s*" + r"\s+".join(_word_pattern(word, ids_matter) for word in own[:enough])
            for ids_matter in (False, True)
        ]
        found = (when for when in begins if not any(re.search(when, other.task, re.IGNORECASE) for other in others))
        return next(found, begins[-1] + r"\s*\Z")  # else another one begins with all of this


class _Dumper(yaml.SafeDumper):
    """Text of several lines as it reads; it falls back to quotes where that would lose something."""

    def represent_text(self, text: str) -> yaml.Node:
        style = "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)  # pyright: ignore[reportUnknownMemberType]  # untyped in its stub


_Dumper.add_representer(str, _Dumper.represent_text)


def _last_of_each_task(sessions: list[RecordedSession]) -> list[RecordedSession]:
    """One for each task of an agent: the last, which is what the run went on with when a task was tried again."""
    return list({(session.agent, session.task): session for session in sessions}.values())


def _unused_id(call: ToolUseBlock, used: set[str]) -> str:
    """A name for the call's result that no other call of the session has."""
    name = re.sub(r"\W", "_", call.name.rsplit("__", 1)[-1])
    free = (key for key in (name, *(f"{name}_{n}" for n in range(2, 10_000))) if key not in used)
    key = next(free)
    used.add(key)
    return key


def _word_pattern(word: str, ids_matter: bool) -> str:
    """A regular expression for one word of a task."""
    if REMOVED.search(word):
        return r"[\s\S]+?"
    if ids_matter:
        return re.escape(word)
    parts: list[str] = []
    end = 0
    for found in ID.finditer(word):
        parts += [re.escape(word[end : found.start()]), r"\S+?"]
        end = found.end()
    return "".join([*parts, re.escape(word[end:])])


def _common_length(words: list[str], others: list[str]) -> int:
    """How many words two tasks have in common at their beginning."""
    pairs = zip(words, others, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(words), len(others)))


def _map_texts(value: JsonValue, change: Callable[[str], str], secrets: SecretFilter) -> JsonValue:
    """`value` with every text in it changed, the names included."""
    match value:
        case str():
            return change(value)
        case list():
            return [_map_texts(item, change, secrets) for item in value]
        case dict():
            return {
                change(key): _map_texts(secrets.argument(key, item), change, secrets) for key, item in value.items()
            }
        case _:
            return value


def _result_text(result: ToolResultBlock) -> str:
    if not isinstance(result.content, list):
        return result.content or ""
    return "\n".join(str(block["text"]) for block in result.content if block.get("type") == "text")

"""Records what the models of a run said as a rehearsal script, without its secrets. `docs/rehearsal.md` says how."""

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

from flotilla_rehearsal.model import RESULT_TOOL, parsed
from flotilla_rehearsal.script import Scripts
from flotilla_rehearsal.secrets import REMOVED, Secrets
from flotilla_rehearsal.tokens import TOKEN, Sources, as_template

_SYNTHETIC = "<synthetic>"  # the "model" of what the CLI says itself, such as an API error
_WHEN_WORDS = 6  # so many words of a task are enough to recognise it by, for a person reading the script


@dataclass
class _Answer:
    """One answer of a model."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    """By the message's id: a session that goes on may repeat what it said before."""
    calls: dict[str, ToolUseBlock] = field(default_factory=dict[str, ToolUseBlock])
    last: bool = False
    """The session ended with it, or waited there for what comes next."""

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
                list(self.answers.values())[-1].last = True
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

    def __init__(self, file: Path, secrets: Secrets) -> None:
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
            name: of the playbook.
            origin: which run it is of, for its first line.

        Returns:
            What became of it, in words.
        """
        sessions = [heard for heard in self._sessions.values() if heard.answers]
        if not sessions:
            return "no model said anything, so there is none"
        played = [(heard, self._turns(heard)) for heard in _distinct(sessions)]
        removed = self._secrets.removed  # before the tasks, which are searched as well but not written
        agents: dict[str, list[JsonValue]] = {}
        for heard, turns in played:
            others = [other for other in sessions if other.agent == heard.agent and other.task != heard.task]
            when: dict[str, JsonValue] = {"when": self._when(heard, others)} if others else {}
            agents.setdefault(heard.agent, []).append({**when, "turns": turns})
        script = {"name": name, "agents": agents}
        Scripts.model_validate(script)
        head = f"# Recorded from {origin}. Removed: {removed}. Read it before you share it.\n"
        self.file.touch(0o600, exist_ok=False)
        text = yaml.dump(script, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**20)
        self.file.write_text(head + text, encoding="utf-8")
        return f"{self.file} (removed: {removed})"

    def _turns(self, heard: RecordedSession) -> list[JsonValue]:
        sources = Sources(heard.task)
        turns: list[JsonValue] = []
        taken: set[str] = set()
        said = ""
        answers = list(heard.answers.values())
        for answer in answers:
            calls = [call for call in answer.calls.values() if call.id in heard.results or answer is answers[-1]]
            said = f"{said}{answer.text}"
            if not calls and answer is not answers[-1] and not (answer.last or heard.structured_output):
                continue  # cut off on its way: the next answer goes on from here
            turn: dict[str, JsonValue] = {"say": self._clean(said, sources)} if said else {}
            said = ""
            if [call.name for call in calls] == [RESULT_TOOL]:
                turn["result"] = self._clean(calls[0].input, sources)
                keys = [RESULT_TOOL]
            else:
                keys = [_key(call, taken) for call in calls]
                made = [self._call(call, key, sources) for call, key in zip(calls, keys, strict=True)]
                turn |= made[0] if len(made) == 1 else {"calls": cast("JsonValue", made)} if made else {}
            if turn or answer is answers[-1]:
                turns.append(turn or {"say": ""})
            for call, key in zip(calls, keys, strict=True):
                if result := heard.results.get(call.id):
                    sources.add(f"{'errors' if result.is_error else 'results'}.{key}", parsed(_text(result)))
        return turns

    def _call(self, call: ToolUseBlock, key: str, sources: Sources) -> dict[str, JsonValue]:
        own: dict[str, JsonValue] = {"id": key} if key != call.name.rsplit("__", 1)[-1] else {}
        return {"call": call.name, **own, "arguments": self._clean(call.input, sources)}

    def _clean(self, value: JsonValue, sources: Sources) -> JsonValue:
        """As templates, without secrets. An e-mail address that comes from somewhere is a template by then."""
        known = _each(value, self._secrets.without_credentials, self._secrets)
        return _each(as_template(known, sources), self._secrets.without_any, self._secrets)

    def _when(self, heard: RecordedSession, others: list[RecordedSession]) -> str:
        """How this task begins, up to where no other one of the agent begins so; ids may differ in a replay."""
        own, *rest = [self._secrets.without_any(session.task).split() for session in (heard, *others)]
        enough = max(_WHEN_WORDS, *(_shared(own, other) + 1 for other in rest))
        begins = [
            r"\A\s*" + r"\s+".join(_word(word, ids_matter) for word in own[:enough]) for ids_matter in (False, True)
        ]
        found = (when for when in begins if not any(re.search(when, other.task, re.IGNORECASE) for other in others))
        return next(found, begins[-1] + r"\s*\Z")  # else another one begins with all of this


class _Dumper(yaml.SafeDumper):
    """Text of several lines as it reads; it falls back to quotes where that would lose something."""

    def represent_text(self, text: str) -> yaml.Node:
        style = "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)  # pyright: ignore[reportUnknownMemberType]  # untyped in its stub


_Dumper.add_representer(str, _Dumper.represent_text)


def _distinct(sessions: list[RecordedSession]) -> list[RecordedSession]:
    """One for each task of an agent: the last, which is what the run went on with when a task was tried again."""
    return list({(heard.agent, heard.task): heard for heard in sessions}.values())


def _key(call: ToolUseBlock, taken: set[str]) -> str:
    """A name for the call's result that no other call of the session has."""
    name = re.sub(r"\W", "_", call.name.rsplit("__", 1)[-1])
    free = (key for key in (name, *(f"{name}_{n}" for n in range(2, 10_000))) if key not in taken)
    key = next(free)
    taken.add(key)
    return key


def _word(word: str, ids_matter: bool) -> str:
    """A regular expression for one word of a task."""
    if REMOVED.search(word):
        return r"[\s\S]+?"
    if ids_matter:
        return re.escape(word)
    parts: list[str] = []
    end = 0
    for token in TOKEN.finditer(word):
        parts += [re.escape(word[end : token.start()]), r"\S+?"]
        end = token.end()
    return "".join([*parts, re.escape(word[end:])])


def _shared(words: list[str], others: list[str]) -> int:
    """How many words two tasks begin with alike."""
    pairs = zip(words, others, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(words), len(others)))


def _each(value: JsonValue, change: Callable[[str], str], secrets: Secrets) -> JsonValue:
    """`value` with every text in it changed, the names included."""
    match value:
        case str():
            return change(value)
        case list():
            return [_each(item, change, secrets) for item in value]
        case dict():
            return {change(key): _each(secrets.named(key, item), change, secrets) for key, item in value.items()}
        case _:
            return value


def _text(result: ToolResultBlock) -> str:
    if not isinstance(result.content, list):
        return result.content or ""
    return "\n".join(str(block["text"]) for block in result.content if block.get("type") == "text")

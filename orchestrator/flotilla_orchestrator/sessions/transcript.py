"""The transcript of a session, read by a process that resumes it: what was used, where it stopped, how it ended.

Entries are the CLI's own lines. A process that is killed leaves the last of its calls without a result: the CLI makes
the same call, with the same id, once the transcript has the entry that it was deferred, so the server has its effect
once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from claude_agent_sdk.types import SessionStoreEntry

from ..config.prices import Prices, Tokens
from ..config.schemas import schema_problem
from .types import SYNTHETIC, SessionResult

STRUCTURED_OUTPUT = "StructuredOutput"  # the CLI's own tool, by which a model returns its structured result
_DEFERRED = "hook_deferred_tool"
_BYTES_PER_TOKEN = 4  # about
_COMMON = ("isSidechain", "userType", "entrypoint", "cwd", "sessionId", "version", "gitBranch", "timestamp")

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Transcript:
    """The entries of one session so far; empty if none was stored."""

    entries: Sequence[Entry]

    @property
    def _answers(self) -> list[Entry]:
        """The model's answers, one entry for each block."""
        return [
            entry
            for entry in self.entries
            if entry["type"] == "assistant" and not entry.get("isSidechain") and entry["message"]["model"] != SYNTHETIC
        ]

    @property
    def has_prompt(self) -> bool:
        """Whether its prompt was stored."""
        return any(entry["type"] == "user" for entry in self.entries)

    @property
    def text(self) -> str:
        """All of it, to look for words in."""
        return json.dumps(self.entries, ensure_ascii=False)

    @property
    def turns(self) -> int:
        """How often the model has answered."""
        return len({entry["message"]["id"] for entry in self._answers})

    def usage(self, prices: Prices, requested_model: str, skipped_turns: int = 0) -> SessionResult:
        """The turns, tokens and cost of all of it but its first turns.

        Args:
            requested_model: its price counts where the one that answered has none. If neither has
                one, the highest does: the cost is unknown, and a limit must hold.
            skipped_turns: how many turns to leave out.
        """
        answers = [*{entry["message"]["id"]: entry["message"] for entry in self._answers}.values()][skipped_turns:]
        used = SessionResult(turns=len(answers), model=answers[-1]["model"] if answers else "")
        for answer in answers:
            tokens = Tokens.from_usage(answer.get("usage") or {})
            price = prices.price_of(answer["model"]) or prices.price_of(requested_model)
            cost_usd = price.cost(tokens, tokens.prompt) if price else prices.highest_cost(tokens)
            used.cost_usd = (used.cost_usd or 0) + cost_usd
            used.input_tokens += tokens.prompt
            used.output_tokens += tokens.output
        return used

    def estimated_next_cost(self, prices: Prices, requested_model: str) -> float:
        """About what the model call after it costs: as much as the one before."""
        if self._answers:
            return self.usage(prices, requested_model, self.turns - 1).cost_usd or 0
        prompt = Tokens(input=len(json.dumps(self.entries)) // _BYTES_PER_TOKEN)
        price = prices.price_of(requested_model)
        return price.cost(prompt, prompt.prompt) if price else prices.highest_cost(prompt)

    def call_ids(self) -> set[str]:
        """The ids of all calls that the model asked for."""
        blocks = [block for answer in self._answers for block in answer["message"]["content"]]
        return {block["id"] for block in blocks if block["type"] == "tool_use"}

    def unanswered_call(self) -> Mapping[str, Any] | None:
        """The first call of the last answer that has no result, as its `tool_use` block."""
        return next((block for block in self._last_calls() if block["id"] not in self.results()), None)

    def deferral_entry(self) -> SessionStoreEntry | None:
        """The line by which the CLI makes the unanswered call again, if it is not there yet."""
        call = self.unanswered_call()
        marks = [entry["attachment"] for entry in self.entries if entry.get("attachment", {}).get("type") == _DEFERRED]
        if call is None or any(mark["toolUseID"] == call["id"] for mark in marks):
            return None
        answer = self._answers[-1]
        mark = {"type": _DEFERRED, "toolUseID": call["id"], "toolName": call["name"], "toolInput": call["input"]}
        mark |= {"hookName": "flotilla", "hookEvent": "PreToolUse", "permissionMode": "dontAsk"}
        last = [entry["uuid"] for entry in self.entries if "uuid" in entry][-1]
        line = {name: answer[name] for name in _COMMON if name in answer}
        line |= {"type": "attachment", "uuid": str(uuid4()), "parentUuid": last, "attachment": mark}
        return cast("SessionStoreEntry", line)

    def final_result(self, schema: Mapping[str, Any] | None) -> SessionResult | None:
        """Its result, if it has ended; without what it used.

        Args:
            schema: of the structured result asked for.
        """
        if not self._answers:
            return None
        if schema is not None:
            return next((found for block in self._last_calls() if (found := _structured(block, schema))), None)
        last = self._answers[-1]
        turns = [entry for entry in self.entries if entry["type"] in ("assistant", "user")]
        if turns[-1] is not last or last["message"].get("stop_reason") != "end_turn" or self._last_calls():
            return None
        return SessionResult(text="".join(block["text"] for block in last["message"]["content"] if "text" in block))

    def _last_calls(self) -> list[Mapping[str, Any]]:
        answers = self._answers
        last = [entry for entry in answers if entry["message"]["id"] == answers[-1]["message"]["id"]]
        return [block for entry in last for block in entry["message"]["content"] if block["type"] == "tool_use"]

    def results(self) -> dict[str, bool]:
        """By id, of each call that has one: whether it is an error."""
        contents = [entry["message"]["content"] for entry in self.entries if entry["type"] == "user"]
        blocks = [block for content in contents if isinstance(content, list) for block in cast("list[Entry]", content)]
        return {block["tool_use_id"]: bool(block.get("is_error")) for block in blocks if block["type"] == "tool_result"}


def _structured(block: Mapping[str, Any], schema: Mapping[str, Any]) -> SessionResult | None:
    if block["name"] != STRUCTURED_OUTPUT or schema_problem(block["input"], schema):
        return None
    return SessionResult(structured=block["input"])

"""The argument and the result of a step of a playbook; later steps get a summary, never a transcript."""

import json
from dataclasses import dataclass

from pydantic import JsonValue

from ..config.playbooks import Step
from ..errors import Failure
from ..run_request import RunRequest
from ..sessions.types import SessionResult

MAX_SUMMARY_CHARS = 2000


@dataclass(frozen=True)
class StepQuestion:
    """A step that asks a person: the argument of its workflow."""

    request: RunRequest
    parent_span_id: str
    step: Step
    question: str
    """Filled in."""
    summaries: dict[str, JsonValue]
    """The summaries of the steps that it needs."""
    unfilled: Failure | None
    """The question could not be filled in."""


@dataclass(frozen=True)
class StepResult:
    """The result of a step; templates read all but `failure`."""

    status: str
    """`ok` or `failed`"""
    summary: str
    output: dict[str, JsonValue] | None = None
    failure: Failure | None = None

    @staticmethod
    def from_session(step_id: str, result: SessionResult, added: str = "") -> "StepResult":
        """The result of a worker's session; `added` goes after its failure's message."""
        if result.failure:
            return StepResult.failed(step_id, result.failure, added, result.text)
        text = json.dumps(result.structured, ensure_ascii=False) if result.structured is not None else result.text
        return StepResult("ok", truncated(text), result.structured)

    @staticmethod
    def failed(step_id: str, failure: Failure, added: str = "", text: str = "") -> "StepResult":
        """The result of a step that failed; `text` is what it had answered before."""
        summary = f"This step failed ({failure.code}): {failure.message}{added}"
        failed = Failure(
            failure.code,
            f"The step {step_id}: {failure.message}{added}",
            failure.suggestion,
            retryable=failure.retryable,
            details={**failure.details, "step": step_id},
        )
        return StepResult(
            "failed", truncated(f"{summary}\nSo far it had said: {text}" if text else summary), failure=failed
        )

    @property
    def template_values(self) -> dict[str, JsonValue]:
        return {"status": self.status, "summary": self.summary, "output": self.output}


def truncated(text: str) -> str:
    """At most 2,000 characters; says so where it is not all."""
    if len(text) <= MAX_SUMMARY_CHARS:
        return text
    note = f"\n[cut here; it has {len(text)} characters]"
    return text[: MAX_SUMMARY_CHARS - len(note)] + note

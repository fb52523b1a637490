"""`guardrails/*.yaml`: rules with a name, over what goes in, what is called and what comes out."""

import re
from typing import Annotated, Any, Literal, Self

from flotilla_kit.identity.mandate import check_bound
from flotilla_rehearsal.secret_filter import KINDS
from flotilla_rehearsal.suggestions import did_you_mean
from pydantic import AfterValidator, Field, model_validator

from .fields import Name
from .fleet import Conditional, Rule

Side = Literal["input", "call", "output"]


def _pattern(value: str) -> str:
    try:
        found = re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if found.search(""):
        raise ValueError("matches the empty text, and so every text")
    return value


def _kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"there is no detector `{value}`{did_you_mean(value, KINDS)}")
    return value


def _bounds(value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for schema in value.values():
        check_bound(schema)
    return value


class Guardrail(Conditional):
    """A rule with a name: what is looked for in what goes in, in calls, or in what comes out, and what follows."""

    name: Name
    description: str = Field(min_length=1, max_length=300, description="part of the refusal, for models too")
    applies_to: Side = Field(
        description="input: the task of a run or worker; call: arguments; output: reports and results"
    )
    arguments: Annotated[dict[str, dict[str, Any]], AfterValidator(_bounds)] = Field(
        default={}, description="of calls: refused if any of these arguments is as its JSON Schema says"
    )
    patterns: list[Annotated[str, AfterValidator(_pattern)]] = Field(
        default=[], description="regular expressions, looked for in every text"
    )
    detect: list[Annotated[str, AfterValidator(_kind)]] = Field(
        default=[], description=f"kinds of secrets, looked for in every text: {', '.join(KINDS)}"
    )
    effect: Literal["deny", "redact", "ask"]

    @model_validator(mode="after")
    def makes_sense(self) -> Self:
        text = bool(self.patterns or self.detect)
        if self.applies_to == "call" and not self.tools:
            raise ValueError("`applies_to: call` needs `tools`")
        if self.applies_to != "call" and (self.tools or self.arguments):
            raise ValueError("`tools` and `arguments` go with `applies_to: call`")
        if self.effect == "ask" and (self.applies_to != "call" or text or self.arguments):
            raise ValueError("`ask` has every call of its `tools` wait for a person: only `when` can narrow that")
        if text and self.arguments:
            raise ValueError("give either `arguments` or `patterns` and `detect`; two guardrails can have one each")
        if not text and (self.effect == "redact" or self.applies_to != "call"):
            raise ValueError("say what is looked for: `patterns`, `detect`")
        return self

    @property
    def in_mandate(self) -> bool:
        """Whether the servers enforce it: each worker's mandate says it. Else the orchestrator does."""
        return self.applies_to == "call" and not (self.patterns or self.detect)

    @property
    def rule(self) -> Rule | None:
        """The rule that it is, if it is about whole tools."""
        if not self.in_mandate or self.arguments:
            return None
        return Rule(when=self.when, tools=self.tools, effect="approve" if self.effect == "ask" else "deny")

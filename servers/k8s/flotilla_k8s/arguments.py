"""Arguments of the tools. Names and selectors are checked here, so that none can lead to another path or query.

Patterns are in the schema because they let the audit keep what was named.
"""

import re
from typing import Annotated, Any, Literal

from flotilla_kit.arguments import GIVEN, NUMBER, TEXT, TEXTS, at_most, length, read_by
from pydantic import Field, WithJsonSchema

MOST_FIELDS = 20
MOST_TAIL = 1_000
MOST_WAIT_S = 300
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_NAME = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9](?:[-A-Za-z0-9._:]{0,251}[A-Za-z0-9])?", re.ASCII)
_KIND = re.compile(r"[A-Za-z](?:[-A-Za-z0-9./]{0,200}[A-Za-z0-9])?", re.ASCII)
_VERB = re.compile(r"[a-z]{2,30}")
_KEY = r"(?:[a-zA-Z0-9](?:[-a-zA-Z0-9.]{0,251}[a-zA-Z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_REQUIREMENT = re.compile(
    rf" *(?:{_KEY} *(?:=|==|!=) *{_VALUE}|!?{_KEY}|{_KEY} +(?:in|notin) +\( *{_VALUE}(?: *, *{_VALUE})* *\)) *",
    re.ASCII,
)
_COMMA = re.compile(r",(?![^(]*\))")  # not inside of parentheses


def _matching(pattern: re.Pattern[str], problem: str) -> Any:
    def check(said: str) -> str:
        if not pattern.fullmatch(said):
            raise ValueError(problem)
        return said

    return read_by(check)


def _selector(said: str) -> str:
    if not all(_REQUIREMENT.fullmatch(part) for part in _COMMA.split(said)):
        raise ValueError("must be a label selector such as app=web,tier!=cache or app in (web,api)")
    return said


def _pattern(said: str) -> str:
    try:
        re.compile(said)
    except (re.error, OverflowError, RecursionError):
        raise ValueError("must be a regular expression of Python's re") from None
    return said


def _pattern_of(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


_NAMESPACED = {"type": "string", "pattern": "^[a-z0-9-]+$"}
_NAMED = {"type": "string", "pattern": r"^[\w.:-]+$"}
_is_namespace = _matching(_NAMESPACE, "must be a DNS label: 1 to 63 of a-z, 0-9 and -, not at an end")
_is_name = _matching(_NAME, "must be the name of an object: letters, digits, - . : and _, at most 253")
_is_kind = _matching(_KIND, "must be a kind such as Deployment, deployments.apps or apps/v1/Deployment")

Context = Annotated[str | None, GIVEN, length(253), TEXT]
Namespace = Annotated[str, _is_namespace, WithJsonSchema(_NAMESPACED)]
OptionalNamespace = Annotated[str | None, GIVEN, _is_namespace, WithJsonSchema(_NAMESPACED)]
ObjectName = Annotated[str, _is_name, WithJsonSchema(_NAMED)]
OptionalObjectName = Annotated[str | None, GIVEN, _is_name, WithJsonSchema(_NAMED)]
KindName = Annotated[str, _is_kind, WithJsonSchema({"type": "string", "pattern": r"^[\w./-]+$"})]
OptionalKindName = Annotated[str | None, GIVEN, _is_kind, WithJsonSchema({"type": "string", "pattern": r"^[\w./-]+$"})]
LabelSelector = Annotated[str | None, GIVEN, length(500), read_by(_selector), TEXT]
ListCursor = Annotated[str | None, Field(max_length=2_000), WithJsonSchema({"type": ["string", "null"]})]
"""Longer than other servers': it holds the API server's own."""
Pattern = Annotated[str | None, GIVEN, length(300), read_by(_pattern), TEXT]
Fields = Annotated[list[Annotated[str, length(200)]] | None, GIVEN, at_most(MOST_FIELDS), TEXTS]
Verb = Annotated[
    str, _matching(_VERB, "must be a verb such as get, list, create, patch or delete"), _pattern_of("^[a-z]+$")
]
OptionalSubresource = Annotated[
    str | None, GIVEN, _matching(_VERB, "must be a subresource such as log or scale"), _pattern_of("^[a-z]+$")
]
Tail = Annotated[int, Field(ge=1, le=MOST_TAIL), NUMBER]
WaitSeconds = Annotated[int, Field(ge=0, le=MOST_WAIT_S), NUMBER]
Workload = Literal["Deployment", "StatefulSet", "DaemonSet"]
ManifestText = Annotated[str, length(5_000_000, 0)]
"""What is too large of it is refused where it is read."""
Replicas = Annotated[int, Field(ge=0, le=100_000), NUMBER]
OptionalRevision = Annotated[int | None, GIVEN, Field(ge=1, le=2**31 - 1), NUMBER]
_WORDS = re.compile(r"[\w .-]{1,200}")
NewNamespace = Annotated[
    str, _matching(_WORDS, "must be a name of letters, digits and -"), _pattern_of(r"^[\w .-]{1,200}$")
]
"""What is no name of a namespace is refused where one like it can be suggested."""
_GROUP = re.compile(r"[\w.:@/-]{1,200}")
OptionalGroup = Annotated[
    str | None, GIVEN, _matching(_GROUP, "must be the name of a group"), _pattern_of(r"^[\w.:@/-]{1,200}$")
]
_WORD = re.compile(r"[\w .-]{1,63}")
OptionalWord = Annotated[str | None, GIVEN, _matching(_WORD, "must be a word"), _pattern_of(r"^[\w .-]{1,63}$")]
Quantity = Annotated[str, length(40)]
Labels = Annotated[dict[str, str] | None, GIVEN, at_most(20), WithJsonSchema({"type": "object"})]

"""Turns what a model said into a template: ids that it took from its task or from a result are looked up there again.

A recording replayed on other data then refers to that data's ids. Only what is simple is replaced: a value that a
result has under a name (`{{ results.x.refund_id }}`), or the first id of its kind in a text
(`{{ task | regex("\\bcust_[\\w-]*\\w") }}`); everything else stays as it was said.
"""

import re
from collections.abc import Iterator
from typing import cast

from pydantic import JsonValue

from flotilla_rehearsal.secrets import EMAIL

# `rf_12ab`, `ch_maya_feb_2`, a UUID, an e-mail address. An id has a digit, which tells it from a word like `no_refund`.
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ID = rf"(?P<email>{EMAIL})|\b(?P<uuid>{_UUID})\b|(?<![\w-])(?P<prefix>[A-Za-z][A-Za-z0-9]*[_-])(?=[\w-]*\d)[\w-]*\w"
TOKEN = re.compile(_ID)


class Sources:
    """Where a session's later turns can find an id: its task, and the results it has had."""

    def __init__(self, task: str) -> None:
        self._values: dict[str, str] = {}
        self._texts = {"task": task}

    def add(self, name: str, value: JsonValue) -> None:
        """`name` is what templates call it, such as `results.charge`."""
        for path, text in _leaves(name, value):
            if TOKEN.fullmatch(text):
                self._values.setdefault(text, path)
            else:
                self._texts.setdefault(path, text)

    def templated(self, text: str) -> str:
        """`text` as a template that renders to it."""
        parts: list[str] = []
        end = 0
        for token in TOKEN.finditer(text):
            expression = self._expression(token)
            # A lone template yields the bare value, so the spaces around it would be lost.
            if expression and (text.strip() != token[0] or text == token[0]):
                parts += [_literal(text[end : token.start()]), f"{{{{ {expression} }}}}"]
                end = token.end()
        return "".join([*parts, _literal(text[end:])])

    def _expression(self, token: re.Match[str]) -> str | None:
        pattern = _pattern(token)
        if self._first(pattern, self._texts["task"]) == token[0]:
            return f'task | regex("{pattern}")'
        if path := self._values.get(token[0]):
            return path
        found = (path for path, text in self._texts.items() if self._first(pattern, text) == token[0])
        path = next(found, None)
        return path and f'{path} | regex("{pattern}")'

    @staticmethod
    def _first(pattern: str, text: str) -> str | None:
        match = re.search(pattern, text, re.IGNORECASE)  # as the filter `regex` does
        return match and match[0]


def _pattern(token: re.Match[str]) -> str:
    """What ids of this kind look like, without the id."""
    if token["prefix"]:
        return rf"\b{token['prefix']}[\w-]*\w"
    return EMAIL if token["email"] else _UUID


def _leaves(path: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case list():
            for index, item in enumerate(value):
                yield from _leaves(f"{path}[{index}]", item)
        case dict():
            for key, item in value.items():
                if key.isidentifier():
                    yield from _leaves(f"{path}.{key}", item)
        case _:
            pass


def _literal(text: str) -> str:
    """Text in which nothing reads as a template; at its end one may follow."""
    return re.sub(r"\{(?=[{%#]|\Z)", "{{ '{' }}", text)


def as_template(value: JsonValue, sources: Sources) -> JsonValue:
    """`value` with every text in it as a template; keys stay as they are."""
    match value:
        case str():
            return sources.templated(value)
        case list():
            return [as_template(item, sources) for item in value]
        case dict():
            return {key: as_template(item, sources) for key, item in cast("dict[str, JsonValue]", value).items()}
        case _:
            return value

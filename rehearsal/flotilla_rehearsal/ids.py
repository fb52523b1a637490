"""Templates in place of ids: what a model took from its task or from a result is looked up there again.

A recording replayed on other data then refers to that data's ids. Only what is simple is replaced: a value that a
result has under a name (`{{ results.x.refund_id }}`), or the first id of its kind in a text
(`{{ task | regex("\\bcust_[\\w-]*\\w") }}`); everything else stays as it was said.
"""

import re
from collections.abc import Iterator
from typing import cast

from pydantic import JsonValue

from flotilla_rehearsal.secret_filter import EMAIL

# `rf_12ab`, `ch_maya_feb_2`, a UUID, an e-mail address. An id has a digit, which tells it from a word like `no_refund`.
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PREFIXED = r"(?<![\w-])(?P<prefix>[A-Za-z][A-Za-z0-9]*[_-])(?=[\w-]*\d)[\w-]*\w"
ID = re.compile(rf"(?P<email>{EMAIL})|\b(?P<uuid>{_UUID})\b|{_PREFIXED}")


class IdSources:
    """The texts in which a session's later turns can look an id up: its task, and the results it has had."""

    def __init__(self, task: str) -> None:
        self._values: dict[str, str] = {}
        self._texts = {"task": task}

    def add(self, name: str, value: JsonValue) -> None:
        """`name` is what templates call it, such as `results.charge`."""
        for path, text in _leaves(name, value):
            if ID.fullmatch(text):
                self._values.setdefault(text, path)
            else:
                self._texts.setdefault(path, text)

    def as_template(self, text: str) -> str:
        """`text` as a template that renders to it."""
        parts: list[str] = []
        end = 0
        for found in ID.finditer(text):
            expression = self._expression(found)
            # A lone template yields the bare value, so the spaces around it would be lost.
            if expression and (text.strip() != found[0] or text == found[0]):
                parts += [_literal(text[end : found.start()]), f"{{{{ {expression} }}}}"]
                end = found.end()
        return "".join([*parts, _literal(text[end:])])

    def _expression(self, found: re.Match[str]) -> str | None:
        pattern = _pattern(found)
        if self._first(pattern, self._texts["task"]) == found[0]:
            return f'task | regex("{pattern}")'
        if path := self._values.get(found[0]):
            return path
        paths = (path for path, text in self._texts.items() if self._first(pattern, text) == found[0])
        path = next(paths, None)
        return path and f'{path} | regex("{pattern}")'

    @staticmethod
    def _first(pattern: str, text: str) -> str | None:
        match = re.search(pattern, text, re.IGNORECASE)  # as the filter `regex` does
        return match and match[0]


def _pattern(found: re.Match[str]) -> str:
    """What ids of this kind look like, without the id."""
    if found["prefix"]:
        return rf"\b{found['prefix']}[\w-]*\w"
    return EMAIL if found["email"] else _UUID


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
    """A template for exactly this text, also when another template follows."""
    return re.sub(r"\{(?=[{%#]|\Z)", "{{ '{' }}", text)


def value_as_template(value: JsonValue, sources: IdSources) -> JsonValue:
    """`value` with every text in it as a template; keys stay as they are."""
    match value:
        case str():
            return sources.as_template(value)
        case list():
            return [value_as_template(item, sources) for item in value]
        case dict():
            return {key: value_as_template(item, sources) for key, item in cast("dict[str, JsonValue]", value).items()}
        case _:
            return value

"""One YAML or JSON document as plain values, each refusal with its line and column.

It is built from the parser's events, without recursion and without YAML's constructors: no tag makes an object, a
timestamp stays text, and what aliases would grow to is counted before it is there. Booleans and numbers are read as
`kubectl` reads them.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import yaml

from .refusals import InvalidManifest

MOST_BYTES = 200_000
"""Of a manifest; what an API server takes is little more, and every call's arguments together less than 256 KiB."""
MOST_NODES = 20_000
MOST_DEPTH = 60
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OCTAL, _HEX = re.compile(r"[-+]?0o?[0-7_]+"), re.compile(r"[-+]?0x[0-9a-fA-F_]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CORE_TAG = "tag:yaml.org,2002:"
_ONE = "Give one object a call; apply the others by calls of their own, what others need first."


def parsed(text: str) -> Any:
    """The value of the only document in the text.

    Raises:
        InvalidManifest: it is too large, no YAML, several documents, or more than YAML's plain values.
    """
    size = len(text.encode("utf-8", "replace"))
    if size > MOST_BYTES:
        raise InvalidManifest(
            f"The manifest has {size} bytes; {MOST_BYTES} is the most.",
            "Split it into smaller objects, or keep large data elsewhere and refer to it.",
            bytes=size,
            most=MOST_BYTES,
        )
    if text.lstrip()[:1] == "{":
        try:
            return json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_constant)
        except (json.JSONDecodeError, RecursionError):
            pass  # YAML's own notation may begin so, and says better where it breaks
    return _Builder(text).built()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InvalidManifest(f"A key is there twice in one object: {twice[:60]}.", "Keep the one you mean.")
    return value


def _no_constant(name: str) -> NoReturn:
    raise InvalidManifest(f"{name} is no number of JSON.", "Write a number, or a text in quotes.")


@dataclass
class _Open:
    """A mapping or sequence whose end has not come yet."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    nodes: int = 1
    key: str | None = None
    merges: list[Any] = field(default_factory=list[Any])


class _Builder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._documents: list[Any] = []
        self._nodes = 0

    def built(self) -> Any:
        try:
            for event in self._events():
                self._take(event)
        except yaml.MarkedYAMLError as error:
            mark: Any = error.problem_mark or error.context_mark
            where = {"line": mark.line + 1, "column": mark.column + 1} if mark else {}
            problem = re.sub(r"'[^']*'|\"[^\"]*\"", "…", error.problem or "it cannot be read")
            raise InvalidManifest(
                f"The manifest is not valid YAML{self._at(where)}: {problem[:120]}.",
                "Correct the indentation, quotes or colons there; use spaces, never tabs.",
                **where,
            ) from None
        except yaml.YAMLError:
            raise InvalidManifest(
                "The manifest is not valid YAML: it has characters that YAML does not allow.",
                "Send plain text; escape other characters in double quotes.",
            ) from None
        except UnicodeEncodeError:
            raise InvalidManifest("The manifest is not valid Unicode.", "Send it as UTF-8.") from None
        if not self._documents or self._documents == [None]:
            raise InvalidManifest("The manifest is empty.", "Give one object with apiVersion, kind and metadata.name.")
        return self._documents[0]

    def _events(self) -> Iterator[Any]:
        return yaml.parse(self._text, Loader=_Loader)  # pyright: ignore[reportUnknownMemberType]  # stub

    def _take(self, event: Any) -> None:
        match event:
            case yaml.AliasEvent():
                if event.anchor not in self._anchors:
                    self._refuse(event, "refers to an anchor that is not there, or to what it is in", "Write it out.")
                value, nodes = self._anchors[event.anchor]
                self._add(event, value, nodes)
            case yaml.ScalarEvent():
                value = self._scalar(event)
                self._keep(event.anchor, value, 1)
                self._add(event, value, 1)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                mapping = isinstance(event, yaml.MappingStartEvent)
                if event.tag not in (None, "!", f"{_CORE_TAG}{'map' if mapping else 'seq'}"):
                    self._refuse(event, "has a tag, which makes it more than plain data", "Leave out the tag.")
                if len(self._stack) >= MOST_DEPTH:
                    self._refuse(event, f"is nested deeper than {MOST_DEPTH} levels", "Flatten it.")
                self._stack.append(_Open({} if mapping else [], event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                closed = self._stack.pop()
                if isinstance(closed.value, dict):
                    self._merge(event, closed, closed.value)
                self._keep(closed.anchor, closed.value, closed.nodes)
                self._add(event, closed.value, closed.nodes)
            case _:
                pass

    def _keep(self, anchor: str | None, value: Any, nodes: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, nodes)

    def _add(self, event: Any, value: Any, nodes: int) -> None:
        if not self._stack:
            if self._documents and value is not None:
                self._refuse(event, "begins a second document", _ONE)
            if value is not None or not self._documents:
                self._documents[:] = [value]
            return
        parent = self._stack[-1]
        parent.nodes += nodes
        if parent.nodes > MOST_NODES:
            self._refuse(event, f"grows to more than {MOST_NODES} values", "Write out less, without aliases.")
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is None:
            parent.key = self._key(event, parent.value, value)
        else:
            if parent.key == "<<" and isinstance(event, yaml.AliasEvent | yaml.MappingEndEvent | yaml.SequenceEndEvent):
                parent.merges.extend(cast("list[Any]", value) if isinstance(value, list) else [value])
            else:
                parent.value[parent.key] = value
            parent.key = None

    def _key(self, event: Any, mapping: dict[str, Any], key: Any) -> str:
        if not isinstance(key, str):
            self._refuse(event, "is a key that is not a text", "Put the key into quotes.")
        if key in mapping:
            self._refuse(event, f"is a key that is there twice: {key[:60]}", "Keep the one you mean.")
        return key

    def _merge(self, event: Any, closed: _Open, mapping: dict[str, Any]) -> None:
        for source in closed.merges:
            if not isinstance(source, dict):
                self._refuse(event, "merges (<<) what is not a mapping", "Write it out.")
            for key, value in cast("dict[str, Any]", source).items():
                mapping.setdefault(key, value)

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        kind = (event.tag or "").removeprefix(_CORE_TAG)
        if event.tag in (None, "!") and (event.style or event.tag == "!"):
            return text
        if kind == "str":
            return text
        if event.tag is not None and kind not in ("int", "float", "bool", "null"):
            self._refuse(event, "has a tag, which makes it more than plain data", "Leave out the tag.")
        return self._plain(event, text)

    def _plain(self, event: Any, text: str) -> Any:
        if text in _NULLS:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if len(text) <= 60:
            if _INT.fullmatch(text):
                return int(text.replace("_", ""))
            if _OCTAL.fullmatch(text):
                return int(text.replace("_", "").replace("o", ""), 8)
            if _HEX.fullmatch(text):
                return int(text.replace("_", ""), 16)
            if _FLOAT.fullmatch(text) and not math.isinf(number := float(text.replace("_", ""))):
                return number
            if _NO_NUMBER.fullmatch(text) or _FLOAT.fullmatch(text):
                self._refuse(event, "is no number of JSON", "Write a number, or a text in quotes.")
        return text

    def _refuse(self, event: Any, problem: str, suggestion: str) -> NoReturn:
        where = {"line": event.start_mark.line + 1, "column": event.start_mark.column + 1}
        raise InvalidManifest(f"What is{self._at(where)} {problem}.", suggestion, **where)

    @staticmethod
    def _at(where: dict[str, int]) -> str:
        return f" at line {where['line']}, column {where['column']}" if where else ""

"""A file of a config folder: its data with the line of each place in it, and what is wrong with it."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from flotilla_rehearsal.yaml_loader import LOADER
from pydantic import BaseModel

from .config import Problem

Place = tuple[str | int, ...]
Kind = TypeVar("Kind", bound=BaseModel)

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)---[ \t]*(?:\n(.*))?", re.DOTALL)


@dataclass
class Source:
    """A file's data and the line of each place in it."""

    file: Path
    data: dict[str, object] = field(default_factory=dict[str, object])
    lines: dict[Place, int] = field(default_factory=dict[Place, int])
    problems: list[Problem] = field(default_factory=list[Problem])

    def line(self, place: Place) -> int:
        """The line of the nearest place that the file has."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, message: str) -> None:
        self.problems.append(Problem(self.file, self.line(place), message))

    def note(self, place: Place, message: str) -> None:
        self.problems.append(Problem(self.file, self.line(place), message, "note"))


@dataclass(frozen=True)
class Files(Generic[Kind]):
    """The models of one folder with the files they came from, in the order of their file names."""

    models: dict[str, Kind] = field(default_factory=dict[str, Kind])
    sources: dict[str, Source] = field(default_factory=dict[str, Source])
    broken: set[str] = field(default_factory=set[str])
    """Names in files that are no valid models: whoever refers to them is not at fault."""

    def __contains__(self, name: str) -> bool:
        return name in self.models or name in self.broken


def read_yaml(path: Path) -> Source:
    source = Source(path)
    return _parse(source, _text(source))


def read_worker(path: Path) -> Source:
    """A Markdown file with YAML front matter; the text below it is `prompt`."""
    source = Source(path)
    text = _text(source)
    if text is None:
        return source
    match = _FRONT_MATTER.fullmatch(text)
    if match is None:
        source.problem(
            (), "a worker starts with front matter: `---`, keys such as `name` and `tools`, `---`, then text"
        )
        return source
    front, body = match.groups(default="")
    _parse(source, front, offset=1)
    source.lines[("prompt",)] = front.count("\n") + 3
    if source.data:
        source.data["prompt"] = body.strip()
    return source


def _text(source: Source) -> str | None:
    try:
        return source.file.read_text(encoding="utf-8-sig")
    except OSError as error:
        source.problem((), f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        source.problem((), f"not UTF-8 text: {error.reason} at byte {error.start}")
    return None


def _parse(source: Source, text: str | None, offset: int = 0) -> Source:
    if text is None:
        return source
    try:
        node = yaml.compose(text, Loader=LOADER)
        if isinstance(node, yaml.MappingNode):
            _mark(source, node, (), offset)
            source.data = yaml.load(text, Loader=LOADER)
        else:
            source.problem((), "must be a mapping of keys to values")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        source.lines[()] = (mark.line if mark else 0) + 1 + offset
        source.problem((), f"not YAML: {error.problem}")
    except (yaml.YAMLError, ValueError) as error:  # such as a date with a month 13
        source.problem((), f"not YAML: {str(error).splitlines()[0]}")
    except RecursionError:
        source.problem((), "nests too deeply, or contains itself by an alias")
    return source


def _mark(source: Source, node: yaml.Node, place: Place, offset: int) -> None:
    source.lines.setdefault(place, node.start_mark.line + 1 + offset)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            if inner in source.lines:
                source.problem(inner, f"`{key.value}` is there twice; the second is on line {_line(key, offset)}")
            source.lines[inner] = _line(key, offset)
            _mark(source, value, inner, offset)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _mark(source, item, (*place, index), offset)


def _line(node: yaml.Node, offset: int) -> int:
    return node.start_mark.line + 1 + offset

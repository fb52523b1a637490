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
class SourceFile:
    """A file's data and the line of each place in it."""

    file: Path
    data: dict[str, object] = field(default_factory=dict[str, object])
    lines: dict[Place, int] = field(default_factory=dict[Place, int])
    problems: list[Problem] = field(default_factory=list[Problem])

    def line_of(self, place: Place) -> int:
        """The line of the nearest place that the file has."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def add_problem(self, place: Place, message: str) -> None:
        self.problems.append(Problem(self.file, self.line_of(place), message))

    def add_note(self, place: Place, message: str) -> None:
        self.problems.append(Problem(self.file, self.line_of(place), message, "note"))


@dataclass(frozen=True)
class SourceFiles(Generic[Kind]):
    """The models of one folder with the files they came from, in the order of their file names."""

    models: dict[str, Kind] = field(default_factory=dict[str, Kind])
    sources: dict[str, SourceFile] = field(default_factory=dict[str, SourceFile])
    invalid_names: set[str] = field(default_factory=set[str])
    """Names in files that are no valid models: whoever refers to them is not at fault."""

    def __contains__(self, name: str) -> bool:
        return name in self.models or name in self.invalid_names


def read_yaml(path: Path) -> SourceFile:
    source = SourceFile(path)
    return _parse(source, _read_text(source))


def read_worker(path: Path) -> SourceFile:
    """A Markdown file with YAML front matter; the text below it is `prompt`."""
    source = SourceFile(path)
    text = _read_text(source)
    if text is None:
        return source
    match = _FRONT_MATTER.fullmatch(text)
    if match is None:
        source.add_problem(
            (), "a worker starts with front matter: `---`, keys such as `name` and `tools`, `---`, then text"
        )
        return source
    front, body = match.groups(default="")
    _parse(source, front, offset=1)
    source.lines[("prompt",)] = front.count("\n") + 3
    if source.data:
        source.data["prompt"] = body.strip()
    return source


def _read_text(source: SourceFile) -> str | None:
    try:
        return source.file.read_text(encoding="utf-8-sig")
    except OSError as error:
        source.add_problem((), f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        source.add_problem((), f"not UTF-8 text: {error.reason} at byte {error.start}")
    return None


def _parse(source: SourceFile, text: str | None, offset: int = 0) -> SourceFile:
    if text is None:
        return source
    try:
        node = yaml.compose(text, Loader=LOADER)
        if isinstance(node, yaml.MappingNode):
            _record_lines(source, node, (), offset)
            source.data = yaml.load(text, Loader=LOADER)
        else:
            source.add_problem((), "must be a mapping of keys to values")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        source.lines[()] = (mark.line if mark else 0) + 1 + offset
        source.add_problem((), f"not YAML: {error.problem}")
    except (yaml.YAMLError, ValueError) as error:  # such as a date with a month 13
        source.add_problem((), f"not YAML: {str(error).splitlines()[0]}")
    except RecursionError:
        source.add_problem((), "nests too deeply, or contains itself by an alias")
    return source


def _record_lines(source: SourceFile, node: yaml.Node, place: Place, offset: int) -> None:
    source.lines.setdefault(place, node.start_mark.line + 1 + offset)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            if inner in source.lines:
                source.add_problem(
                    inner, f"`{key.value}` is there twice; the second is on line {_line_of_node(key, offset)}"
                )
            source.lines[inner] = _line_of_node(key, offset)
            _record_lines(source, value, inner, offset)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _record_lines(source, item, (*place, index), offset)


def _line_of_node(node: yaml.Node, offset: int) -> int:
    return node.start_mark.line + 1 + offset

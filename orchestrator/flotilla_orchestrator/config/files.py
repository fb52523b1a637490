"""Reads a config folder into models: every error at once, each with file, line and fix."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from flotilla_rehearsal.suggestions import did_you_mean
from flotilla_rehearsal.yaml_loader import LOADER
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .config import Config, ConfigError, Fleet, Playbook, Problem, Worker
from .prices import Prices, shipped

Place = tuple[str | int, ...]
Kind = TypeVar("Kind", bound=BaseModel)
Named = TypeVar("Named", Worker, Playbook)

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


def load(folder: Path) -> Config:
    """Read and check a config folder.

    Raises:
        ConfigError: with everything that is wrong.
    """
    from .checks import check

    fleet_file = folder / "fleet.yaml"
    if not fleet_file.is_file():
        raise ConfigError([Problem(fleet_file, 1, "there is no such file; name the folder with --configs")])
    sources = [source := _yaml(fleet_file)]
    fleet = _model(Fleet, source)
    workers = _collect(Worker, _sources(folder / "workers", ".md", _worker), sources)
    playbooks = _collect(Playbook, _sources(folder / "playbooks", ".yaml", _yaml), sources)
    check(fleet, source, workers, playbooks)
    prices = _prices(folder / "prices.yaml", sources)
    problems = [problem for source in sources for problem in sorted(source.problems, key=lambda p: p.line)]
    errors = [problem for problem in problems if problem.kind == "error"]
    if errors or not fleet:
        raise ConfigError(errors)
    notes = tuple(problem for problem in problems if problem.kind == "note")
    return Config(folder, fleet, workers.models, playbooks.models, notes, prices)


def _prices(file: Path, sources: list[Source]) -> Prices:
    """Those that are shipped, under those of the folder's own file, if it has one."""
    if not file.exists():
        return shipped()
    sources.append(source := _yaml(file))
    if (own := _model(Prices, source)) is None:
        return shipped()
    prices = own.over(shipped())
    for name, model in own.aliases.items():
        if model not in prices.models:
            message = f"`{name}` stands for `{model}`, which has no price{did_you_mean(model, prices.models)}"
            source.problem(("aliases", name), message)
    return prices


def _sources(folder: Path, suffix: str, read: Callable[[Path], Source]) -> Iterator[Source]:
    """Every file of a folder; one with another ending is a problem, because it would be ignored without a word."""
    for path in sorted(folder.glob("[!.]*")):
        if path.suffix == suffix:
            yield read(path)
        else:
            source = Source(path)
            source.problem((), f"only files that end in `{suffix}` are read here; rename it or move it away")
            yield source


def _collect(kind: type[Named], found: Iterator[Source], sources: list[Source]) -> Files[Named]:
    files: Files[Named] = Files()
    for source in found:
        sources.append(source)
        model = _model(kind, source)
        if model is None:
            files.broken.add(str(source.data.get("name")))
            continue
        if first := files.sources.get(model.name):
            source.problem(("name",), f"the name {model.name} is taken by {first.file.name}; names are unique")
            continue
        files.models[model.name] = model
        files.sources[model.name] = source
    return files


def _model(kind: type[Kind], source: Source) -> Kind | None:
    if source.problems and not source.data:  # not even YAML, which is said already
        return None
    try:
        model = kind.model_validate(source.data)
        return None if source.problems else model
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            place = tuple(part for part in problem["loc"] if part != "[key]")
            source.problem(place, _explain(kind, place, problem))
        return None


def _explain(kind: type[BaseModel], place: Place, problem: ErrorDetails) -> str:
    name = ".".join(str(part) for part in place)
    match problem["type"]:
        case "extra_forbidden":
            return f"unknown key `{name}`{did_you_mean(str(place[-1]), _keys(kind, place[:-1]))}"
        case "missing":
            return f"`{name}` is required"
        case "value_error":
            said = problem["msg"].removeprefix("Value error, ")
            return f"`{name}`: {said}" if name else said
        case _:
            return f"`{name}`: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _keys(kind: type[BaseModel], place: Place) -> list[str]:
    """The keys that a model knows at a place of its data."""
    annotation: Any = kind
    for part in place:
        fields = getattr(annotation, "model_fields", None)
        annotation = fields[part].annotation if fields and part in fields else _element(annotation)
    return [key for key in getattr(annotation, "model_fields", ()) if key != "prompt"]


def _element(annotation: Any) -> Any:
    arguments = getattr(annotation, "__args__", ())
    return arguments[-1] if arguments else None


def _yaml(path: Path) -> Source:
    source = Source(path)
    return _parse(source, _text(source))


def _worker(path: Path) -> Source:
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

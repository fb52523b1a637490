"""Reads a config folder into models: every error at once, each with file, line and fix."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from flotilla_rehearsal.suggestions import did_you_mean
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .checks import check
from .config import Config, ConfigError, Problem
from .fleet import Fleet
from .guardrails import Guardrail
from .playbooks import Playbook
from .prices import Prices, shipped_prices
from .source import Place, SourceFile, SourceFiles, read_worker, read_yaml
from .workers import Worker

Kind = TypeVar("Kind", bound=BaseModel)
Named = TypeVar("Named", Worker, Playbook, Guardrail)


def load(folder: Path) -> Config:
    """Read and check a config folder.

    Raises:
        ConfigError: with everything that is wrong.
    """
    fleet_file = folder / "fleet.yaml"
    if not fleet_file.is_file():
        raise ConfigError([Problem(fleet_file, 1, "there is no such file; name the folder with --configs")])
    sources = [source := read_yaml(fleet_file)]
    fleet = _validated(Fleet, source)
    workers = _collect(Worker, _read_folder(folder / "workers", ".md", read_worker), sources)
    playbooks = _collect(Playbook, _read_folder(folder / "playbooks", ".yaml", read_yaml), sources)
    guardrails = _collect(Guardrail, _read_folder(folder / "guardrails", ".yaml", read_yaml), sources)
    check(fleet, source, workers, playbooks, guardrails)
    prices = _load_prices(folder / "prices.yaml", sources)
    problems = [problem for source in sources for problem in sorted(source.problems, key=lambda p: p.line)]
    errors = [problem for problem in problems if problem.kind == "error"]
    if errors or not fleet:
        raise ConfigError(errors)
    notes = tuple(problem for problem in problems if problem.kind == "note")
    return Config(folder, fleet, workers.models, playbooks.models, notes, prices, tuple(guardrails.models.values()))


def _load_prices(file: Path, sources: list[SourceFile]) -> Prices:
    """The shipped prices, with those of the folder's own file in place of theirs, if it has one."""
    if not file.exists():
        return shipped_prices()
    sources.append(source := read_yaml(file))
    if (own := _validated(Prices, source)) is None:
        return shipped_prices()
    prices = own.with_defaults(shipped_prices())
    for name, model in own.aliases.items():
        if model not in prices.models:
            message = f"`{name}` stands for `{model}`, which has no price{did_you_mean(model, prices.models)}"
            source.add_problem(("aliases", name), message)
    return prices


def _read_folder(folder: Path, suffix: str, read: Callable[[Path], SourceFile]) -> Iterator[SourceFile]:
    """Every file of a folder; one with another ending is a problem, because it would be ignored."""
    for path in sorted(folder.glob("[!.]*")):
        if path.suffix == suffix:
            yield read(path)
        else:
            source = SourceFile(path)
            source.add_problem((), f"only files that end in `{suffix}` are read here; rename it or move it away")
            yield source


def _collect(kind: type[Named], found: Iterator[SourceFile], sources: list[SourceFile]) -> SourceFiles[Named]:
    files: SourceFiles[Named] = SourceFiles()
    for source in found:
        sources.append(source)
        model = _validated(kind, source)
        if model is None:
            files.invalid_names.add(str(source.data.get("name")))
            continue
        if first := files.sources.get(model.name):
            source.add_problem(("name",), f"the name {model.name} is taken by {first.file.name}; names are unique")
            continue
        files.models[model.name] = model
        files.sources[model.name] = source
    return files


def _validated(kind: type[Kind], source: SourceFile) -> Kind | None:
    if source.problems and not source.data:  # not even YAML, which is reported already
        return None
    try:
        model = kind.model_validate(source.data)
        return None if source.problems else model
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            place = tuple(part for part in problem["loc"] if part != "[key]")
            source.add_problem(place, _problem_text(kind, place, problem))
        return None


def _problem_text(kind: type[BaseModel], place: Place, problem: ErrorDetails) -> str:
    name = ".".join(str(part) for part in place)
    match problem["type"]:
        case "extra_forbidden":
            return f"unknown key `{name}`{did_you_mean(str(place[-1]), _known_keys(kind, place[:-1]))}"
        case "missing":
            return f"`{name}` is required"
        case "value_error":
            message = problem["msg"].removeprefix("Value error, ")
            return f"`{name}`: {message}" if name else message
        case _:
            return f"`{name}`: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _known_keys(kind: type[BaseModel], place: Place) -> list[str]:
    """The keys that a model knows at a place of its data."""
    annotation: Any = kind
    for part in place:
        fields = getattr(annotation, "model_fields", None)
        annotation = fields[part].annotation if fields and part in fields else _item_type(annotation)
    return [key for key in getattr(annotation, "model_fields", ()) if key != "prompt"]


def _item_type(annotation: Any) -> Any:
    arguments = getattr(annotation, "__args__", ())
    return arguments[-1] if arguments else None

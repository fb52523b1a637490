"""What each sub-command of `flotilla` does."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pydantic import JsonValue

from . import provider
from .config import Config, ConfigError, Playbook
from .config_files import load
from .errors import Failure

if TYPE_CHECKING:
    from .journal import Run, Span
    from .provider import Provider

_LARGEST_TASK_FILE = 1024 * 1024


def execute(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed; returns the exit code."""
    command = {"demo": _demo, "run": _run, "check": _check, "show": _show, "trace": _trace}[arguments.command]
    try:
        return asyncio.run(command(arguments))
    except ConfigError as error:
        problems = [{"file": str(p.file), "line": p.line, "message": p.message} for p in error.problems]
        _say(arguments, {"error": {"code": "invalid_config", "problems": problems}}, str(error))
    except Failure as failure:
        text = f"flotilla: {failure.message}\n{failure.suggestion}".rstrip()
        _say(arguments, {"error": failure.as_dict()}, text)
    except OSError as error:
        _say(arguments, {"error": Failure("os_error", str(error)).as_dict()}, f"flotilla: {error}")
    except Exception as error:
        from flotilla_kit.errors import StoreUnavailable

        if not isinstance(error, StoreUnavailable):
            raise
        _say(arguments, {"error": error.as_dict()}, f"flotilla: the journal: {error.message} {error.suggestion}")
    return 2


async def _demo(arguments: argparse.Namespace) -> int:
    config = load(_configs(arguments))
    playbook = _playbook(config, arguments.playbook)
    if playbook.example is None:
        raise Failure("no_example", f"The playbook {playbook.name} has no example.", "Use `flotilla run`.")
    task, inputs = playbook.example.task, playbook.example.inputs
    return await _play(arguments, config, playbook, task, inputs, rehearse=not arguments.live, sample=True)


async def _run(arguments: argparse.Namespace) -> int:
    config = load(_configs(arguments))
    playbook = _playbook(config, arguments.playbook)
    inputs = _inputs(arguments.input, playbook)
    return await _play(arguments, config, playbook, _task(arguments), inputs, rehearse=arguments.rehearse)


async def _play(
    arguments: argparse.Namespace,
    config: Config,
    playbook: Playbook,
    task: str,
    inputs: dict[str, JsonValue],
    *,
    rehearse: bool,
    sample: bool = False,
) -> int:
    async with _provider(config, playbook, rehearse=rehearse) as model:
        from rich.console import Console

        from .journal import Journal, Run
        from .run import new_run_id, run_playbook
        from .show import Progress, result

        home = _home(arguments)
        run = Run(new_run_id(), playbook.name, model.model, task, inputs)
        folder = home / "runs" / run.run_id
        # A demo's servers start from the sample each time; their data stays there, to be looked at.
        flags = ["--home", str(folder / "data"), "--demo-data"] if sample else []
        console = Console()
        progress = None if arguments.json else Progress(console)
        if rehearse and not arguments.json:
            banner = "model: rehearsal. A script stands in for Claude; servers, tools and effects are real.\n"
            console.print(banner, style="yellow", soft_wrap=True)
        async with await Journal.open(home, [progress] if progress else []) as journal:
            with progress or nullcontext():
                await run_playbook(
                    config, run, provider=model, journal=journal, folder=folder, flags=flags, environ=_environ(home)
                )
            spans = await journal.spans(run.run_id)
        if arguments.json:
            _print_json(_record(run, spans) | {"folder": str(folder)})
        else:
            console.print(result(run, spans))
            console.print(f"trace: flotilla trace {run.run_id}   logs and transcripts: {folder}", soft_wrap=True)
        return 0 if run.status == "ok" else 1


@asynccontextmanager
async def _provider(config: Config, playbook: Playbook, *, rehearse: bool) -> "AsyncGenerator[Provider]":
    if not rehearse:
        yield provider.live(os.environ)
        return
    from .rehearsal.script import ScriptError
    from .rehearsal.script import load as load_script
    from .rehearsal.server import Rehearsal

    script = config.folder / "rehearsals" / f"{playbook.name}.yaml"
    try:
        scripts = load_script(script)
    except (ScriptError, OSError) as error:
        raise Failure("no_rehearsal", f"{playbook.name} cannot be rehearsed: {error}", f"See {script}.") from error
    async with Rehearsal(scripts) as rehearsal:
        yield provider.rehearsal(os.environ, rehearsal.url)


async def _check(arguments: argparse.Namespace) -> int:
    """Config, then servers and tools; a missing credential is said, but is no error: a rehearsal needs none."""
    config = load(_configs(arguments))
    from .fleet import running

    home = _home(arguments)
    names = sorted(config.fleet.servers)
    async with running(config, names, logs=home / "check", environ=_environ(home)) as fleet:
        fleet.require(config.workers.values())
        tools = {name: sorted(server.tools) for name, server in fleet.servers.items()}
    try:
        credential = bool(provider.live(os.environ))
    except Failure:
        credential = False
    notes = [str(note) for note in config.notes]
    lines = [
        *notes,
        f"{len(config.playbooks)} playbooks, {len(config.workers)} workers: well formed, every name resolves",
        *(f"{name}: answers, {len(found)} tools" for name, found in tools.items()),
        "credential for Claude: set" if credential else "credential for Claude: not set (rehearsals need none)",
    ]
    answer = {"playbooks": sorted(config.playbooks), "workers": sorted(config.workers), "tools": tools, "notes": notes}
    _say(arguments, answer | {"credential": credential}, "\n".join(lines), stream=sys.stdout)
    return 0


async def _show(arguments: argparse.Namespace) -> int:
    def text(run: "Run", spans: "list[Span]") -> None:
        from rich.console import Console

        from .show import result

        console = Console()
        console.print(f"{run.run_id} · {run.playbook} · {run.started_at} · {dict(run.inputs)}", soft_wrap=True)
        console.print(run.task.strip(), style="italic", markup=False)
        console.print(result(run, spans))

    return await _look_up(arguments, text, _record)


async def _trace(arguments: argparse.Namespace) -> int:
    def text(run: "Run", spans: "list[Span]") -> None:
        from rich.console import Console

        from .show import took, tree

        console = Console()
        if found := tree(spans):
            console.print(found, soft_wrap=True)
        console.print(took(run, spans))

    return await _look_up(
        arguments, text, lambda run, spans: _record(run, spans) | {"spans": [asdict(span) for span in spans]}
    )


async def _look_up(
    arguments: argparse.Namespace,
    text: "Callable[[Run, list[Span]], None]",
    record: "Callable[[Run, list[Span]], dict[str, object]]",
) -> int:
    from .journal import Journal

    async with await Journal.open(_home(arguments), read_only=True) as journal:
        run = await journal.run(arguments.run_id)
        if run is None:
            which = "recorded yet" if arguments.run_id == "last" else arguments.run_id
            raise Failure("unknown_run", f"There is no run {which}.", "See --home, or start with `flotilla demo`.")
        spans = await journal.spans(run.run_id)
    if arguments.json:
        _print_json(record(run, spans))
    else:
        text(run, spans)
    return 0


def _record(run: "Run", spans: "list[Span]") -> dict[str, object]:
    from .show import totals

    return {**asdict(run), "totals": totals(spans)}


def _configs(arguments: argparse.Namespace) -> Path:
    here = Path("configs")
    bundled = Path(__file__).parent / "configs"
    return arguments.configs or (here if (here / "fleet.yaml").is_file() else bundled)


def _environ(home: Path) -> dict[str, str]:
    """The environment, with the home that local servers keep their data in."""
    return {**os.environ, "FLOTILLA_HOME": str(home)}


def _home(arguments: argparse.Namespace) -> Path:
    from flotilla_kit.settings import default_home

    return (arguments.home or default_home()).absolute()


def _playbook(config: Config, name: str) -> Playbook:
    if name not in config.playbooks:
        from .names import did_you_mean

        known = did_you_mean(name, config.playbooks)
        raise Failure("unknown_playbook", f"There is no playbook `{name}`{known}", f"See {config.folder}/playbooks.")
    return config.playbooks[name]


def _task(arguments: argparse.Namespace) -> str:
    if (arguments.task is None) == (arguments.task_file is None):
        raise Failure("no_task", "Say what the case is: either as text, or with --task-file FILE.")
    if arguments.task is not None:
        return arguments.task
    try:
        if arguments.task_file.stat().st_size > _LARGEST_TASK_FILE:
            raise Failure("bad_task_file", f"{arguments.task_file} is larger than 1 MiB.")
        return arguments.task_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure("bad_task_file", f"{arguments.task_file} cannot be read as UTF-8 text: {error}") from error


def _inputs(given: Sequence[str], playbook: Playbook) -> dict[str, JsonValue]:
    """`NAME=VALUE` pairs; a value whose schema is not text is read as JSON."""
    inputs: dict[str, JsonValue] = {}
    for pair in given:
        name, found, value = pair.partition("=")
        if not found:
            raise Failure("invalid_input", f"--input takes NAME=VALUE; {pair!r} is not that.")
        kind = playbook.inputs.get("properties", {}).get(name, {}).get("type", "string")
        try:
            inputs[name] = value if kind == "string" else json.loads(value)
        except ValueError:
            raise Failure("invalid_input", f"--input {name}: {value!r} is no {kind}.") from None
    return inputs


def _say(arguments: argparse.Namespace, answer: Mapping[str, object], text: str, stream: TextIO = sys.stderr) -> None:
    if arguments.json:
        _print_json(answer)
    else:
        stream.write(f"{text}\n")


def _print_json(answer: Mapping[str, object]) -> None:
    print(json.dumps(answer, ensure_ascii=False, indent=2))  # noqa: T201  a command's answer

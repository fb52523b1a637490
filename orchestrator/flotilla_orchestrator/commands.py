"""What each sub-command of `flotilla` does."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from pydantic import JsonValue

from . import provider
from .approver_token import TOKEN_VARIABLE
from .arguments import (
    config_folder,
    environ_of,
    given_inputs,
    given_task,
    home_folder,
    keys_folder,
    named_playbook,
    new_check_id,
    print_json,
    say,
)
from .config import ROUTER, Config, ConfigError, Playbook
from .config_files import load
from .errors import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .asking import Ways
    from .provider import Provider
    from .rehearsal.recorder import Recorder
    from .show import Progress
    from .waiting import Ask


def execute(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed; returns the exit code."""
    from . import commands_approvals, commands_journal, commands_keys

    command = {
        "demo": _demo,
        "run": _run,
        "ask": _ask,
        "check": _check,
        "runs": commands_journal.runs,
        "show": commands_journal.show,
        "trace": commands_journal.trace,
        "stats": commands_journal.stats,
        "approvals": commands_approvals.approvals,
        "keys": commands_keys.keys,
        "mandate": commands_keys.mandate,
    }[arguments.command]
    try:
        return asyncio.run(command(arguments))
    except ConfigError as error:
        problems = [{"file": str(p.file), "line": p.line, "message": p.message} for p in error.problems]
        say(arguments, {"error": {"code": "invalid_config", "problems": problems}}, str(error))
    except Failure as failure:
        text = f"flotilla: {failure.message}\n{failure.suggestion}".rstrip()
        say(arguments, {"error": failure.as_dict()}, text)
    except OSError as error:
        say(arguments, {"error": Failure("os_error", str(error)).as_dict()}, f"flotilla: {error}")
    except Exception as error:
        from flotilla_kit.errors import StoreUnavailable

        if not isinstance(error, StoreUnavailable):
            raise
        say(arguments, {"error": error.as_dict()}, f"flotilla: the journal: {error.message} {error.suggestion}")
    return 2


async def _demo(arguments: argparse.Namespace) -> int:
    config = load(config_folder(arguments))
    playbook = named_playbook(config, arguments.playbook)
    if playbook.example is None:
        raise Failure("no_example", f"The playbook {playbook.name} has no example.", "Use `flotilla run`.")
    task, inputs = playbook.example.task, playbook.example.inputs
    live = arguments.live
    record = await _play(arguments, config, playbook, task, inputs, rehearse=not live, yes=not live, sample=True)
    return _ended(arguments, record)


async def _run(arguments: argparse.Namespace) -> int:
    config = load(config_folder(arguments))
    playbook = named_playbook(config, arguments.playbook)
    inputs = given_inputs(arguments.input, playbook.inputs)
    _check_rehearsed(arguments)
    task, rehearse = given_task(arguments), arguments.rehearse
    return _ended(
        arguments, await _play(arguments, config, playbook, task, inputs, rehearse=rehearse, yes=arguments.yes)
    )


async def _ask(arguments: argparse.Namespace) -> int:
    from .commands_ask import ask

    _check_rehearsed(arguments)
    config = load(config_folder(arguments))

    async def play(name: str, task: str, inputs: "Mapping[str, JsonValue]") -> dict[str, object]:
        playbook, rehearse = config.playbooks[name], arguments.rehearse
        return await _play(arguments, config, playbook, task, dict(inputs), rehearse=rehearse, yes=arguments.yes)

    return await ask(arguments, config, _provider(arguments, config, ROUTER, rehearse=arguments.rehearse), play)


def _check_rehearsed(arguments: argparse.Namespace) -> None:
    if arguments.yes and not arguments.rehearse:
        raise Failure("not_a_rehearsal", "--yes approves everything, so it goes only with --rehearse.", "Leave it out.")


def _ended(arguments: argparse.Namespace, record: dict[str, object]) -> int:
    if arguments.json:
        print_json(record)
    return 0 if record["status"] == "ok" else 1


async def _play(
    arguments: argparse.Namespace,
    config: Config,
    playbook: Playbook,
    task: str,
    inputs: dict[str, JsonValue],
    *,
    rehearse: bool,
    yes: bool,
    sample: bool = False,
) -> dict[str, object]:
    """Run it and show it to people; returns its record."""
    recorder = _recorder(arguments, config)
    async with _provider(arguments, config, playbook.name, rehearse=rehearse) as model:
        from rich.console import Console

        from .asking import Ways
        from .journal import Journal, Run
        from .rehearsal.standin import approving
        from .run import new_run_id, run_playbook
        from .show import Progress, as_record, result

        os.environ.pop(TOKEN_VARIABLE, None)  # it may approve, and this process must not
        home = home_folder(arguments)
        run = Run(new_run_id(), playbook.name, model.model, task, inputs)
        folder = home / "runs" / run.run_id
        # A demo's servers start from the sample each time; their data stays there, to be looked at.
        flags = ["--home", str(folder / "data"), "--demo-data"] if sample else []
        console = Console()
        progress = None if arguments.json else Progress(console)
        if rehearse and not arguments.json:
            banner = "model: rehearsal. A script stands in for Claude; servers, tools and effects are real."
            approver = "\nApprovals are given by demo-approver, a process of its own: this one cannot." if yes else ""
            console.print(f"{banner}{approver}\n", style="yellow", soft_wrap=True)
        ways = Ways(config, folder / "data" if sample else home, environ_of(home))
        asking = approving(folder / "approver-keys.json", ways.environ) if yes else nullcontext(_asking(ways, progress))
        flags += ["--approver-keys", str(folder / "approver-keys.json")] if yes else []
        async with asking as ask, await Journal.open(home, [progress] if progress else []) as journal:
            with progress or nullcontext():
                await run_playbook(
                    config,
                    run,
                    provider=model,
                    journal=journal,
                    folder=folder,
                    keys=keys_folder(home),
                    ask=ask,
                    flags=flags,
                    environ=ways.environ,
                    hear=recorder,
                )
            spans = await journal.spans(run.run_id)
        record = as_record(run, spans) | {"folder": str(folder)}
        if not arguments.json:
            console.print(result(run, spans))
            console.print(f"trace: flotilla trace {run.run_id}   logs and transcripts: {folder}", soft_wrap=True)
        if recorder:
            origin = f"{run.run_id} ({run.model}, {run.started_at[:10]})"
            record["recording"] = recording = recorder.write(playbook.name, origin)
            if not arguments.json:
                console.print(f"recording: {recording}", soft_wrap=True, highlight=False, markup=False)
        return record


def _recorder(arguments: argparse.Namespace, config: Config) -> "Recorder | None":
    file: Path | None = getattr(arguments, "record", None)
    if file is None:
        return None
    from .rehearsal.recorder import Recorder
    from .rehearsal.secrets import Secrets

    named = [name for server in config.fleet.servers.values() for name in (*server.variables, *server.env)]
    return Recorder(file, Secrets.of(os.environ, named))


def _asking(ways: "Ways", progress: "Progress | None") -> "Ask":
    """Whoever sits at this terminal is asked; without one, or with --json, the run says how to decide."""
    from flotilla_kit.terminal import has_person

    from .asking import AtTerminal, Notice

    return AtTerminal(ways, progress.aside) if progress and has_person() else Notice(ways)


@asynccontextmanager
async def _provider(
    arguments: argparse.Namespace, config: Config, name: str, *, rehearse: bool
) -> "AsyncGenerator[Provider]":
    """Claude, or the script that is given or else has this name."""
    given: Path | None = getattr(arguments, "script", None)
    if not rehearse:
        if given:
            raise Failure("not_a_rehearsal", "--script is what a rehearsal plays.", "Add --rehearse, or leave it out.")
        yield provider.live(os.environ)
        return
    from .rehearsal.script import ScriptError
    from .rehearsal.script import load as load_script
    from .rehearsal.server import Rehearsal

    script = given or config.folder / "rehearsals" / f"{name}.yaml"
    try:
        scripts = load_script(script)
    except (ScriptError, OSError) as error:
        raise Failure("no_rehearsal", f"{name} cannot be rehearsed: {error}", f"See {script}.") from error
    async with Rehearsal(scripts) as rehearsal:
        yield provider.rehearsal(os.environ, rehearsal.url)


async def _check(arguments: argparse.Namespace) -> int:
    """Config, then servers and tools; a missing credential is said, but is no error: a rehearsal needs none."""
    config = load(config_folder(arguments))
    from .fleet import running
    from .mandate import APPROVAL_TOOLS

    home = home_folder(arguments)
    names = sorted(config.fleet.servers)
    async with running(
        config, names, run_id=new_check_id(), logs=home / "check", keys=keys_folder(home), environ=environ_of(home)
    ) as fleet:
        fleet.require(config.workers.values())
        tools = {name: sorted(set(server.tools) - set(APPROVAL_TOOLS)) for name, server in fleet.servers.items()}
        checking = {name: server.minter is not None for name, server in fleet.servers.items()}
    try:
        credential = bool(provider.live(os.environ))
    except Failure:
        credential = False
    notes = [str(note) for note in config.notes]
    lines = [
        *notes,
        f"{len(config.playbooks)} playbooks, {len(config.workers)} workers: well formed, every name resolves",
        *(f"{name}: {_found(found, checking[name])}" for name, found in tools.items()),
        "credential for Claude: set" if credential else "credential for Claude: not set (rehearsals need none)",
    ]
    answer = {"playbooks": sorted(config.playbooks), "workers": sorted(config.workers), "tools": tools, "notes": notes}
    answer |= {"mandates": checking, "credential": credential}
    say(arguments, answer, "\n".join(lines), stream=sys.stdout)
    return 0


def _found(tools: list[str], mandates: bool) -> str:
    if mandates:
        return f"answers, checks mandates, has all {len(tools)} tools that the files name"
    return f"answers, {len(tools)} tools; it checks no mandates: only the session keeps workers from the others"

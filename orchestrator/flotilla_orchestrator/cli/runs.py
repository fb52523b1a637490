"""The commands that have playbooks run: `flotilla demo`, `run`, `ask`, `resume`."""

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from .. import provider
from ..config.config import ROUTER, Config
from ..config.files import load
from ..errors import Failure
from ..order import Order, check_inputs, check_task, given_inputs, new_run_id
from .approver_token import TOKEN_VARIABLE
from .arguments import (
    config_folder,
    given_task,
    home_folder,
    known_run,
    named_playbook,
    open_journal,
    print_json,
    say,
)

if TYPE_CHECKING:
    from flotilla_rehearsal.recorder import Recorder

    from ..engine.kept import Follow


async def demo(arguments: argparse.Namespace) -> int:
    config = load(config_folder(arguments))
    playbook = named_playbook(config, arguments.playbook)
    if playbook.example is None:
        raise Failure("no_example", f"The playbook {playbook.name} has no example.", "Use `flotilla run`.")
    example, model = playbook.example, "claude" if arguments.live else "rehearsal"
    setting = _setting(arguments, config, model, yes=not arguments.live, sample=new_run_id())
    inputs = {**example.inputs, **given_inputs(arguments.input, playbook.inputs)}
    first = Order(str(setting["sample"]), playbook.name, model, example.task, inputs, setting)
    if not arguments.later:
        return _ended(arguments, await _play(arguments, config, first, new=True))
    if arguments.record:
        raise Failure("invalid_arguments", "--record writes one run, and --later plays two.", "Leave one of them out.")
    if example.later is None:
        raise Failure("no_example", f"The example of {playbook.name} has nothing that comes later.", "See `later`.")
    later = replace(first, run_id=new_run_id(), task=example.later)
    records = [await _play(arguments, config, order, new=True) for order in (first, later)]
    if arguments.json:
        print_json({"runs": records})
    return 0 if all(record["status"] == "ok" for record in records) else 1


async def run(arguments: argparse.Namespace) -> int:
    config = load(config_folder(arguments))
    playbook = named_playbook(config, arguments.playbook)
    order = _order(arguments, config, playbook.name, given_inputs(arguments.input, playbook.inputs))
    if arguments.queue:
        return await _queue(arguments, config, order)
    return _ended(arguments, await _play(arguments, config, order, new=True))


async def _queue(arguments: argparse.Namespace, config: Config, order: Order) -> int:
    """Leave it to `flotilla work`."""
    if arguments.record:
        raise Failure("invalid_arguments", "--record needs the run in this process.", "Leave --queue out.")
    check_inputs(config, order.playbook, order.task, order.inputs)
    from ..engine.replica import enqueue

    async with await open_journal(arguments) as journal:
        await enqueue(order, home=home_folder(arguments), journal=journal)
    text = f"{order.run_id} is queued: `flotilla work` works on it, `flotilla runs` lists it."
    say(arguments, {"run_id": order.run_id, "state": "queued"}, text, sys.stdout)
    return 0


async def ask(arguments: argparse.Namespace) -> int:
    from .ask import ask
    from .stage import model_of

    config = load(config_folder(arguments))
    model = _model(arguments)
    script = _script(arguments, config, ROUTER)

    async def play(name: str, task: str, inputs: Mapping[str, JsonValue]) -> dict[str, object]:
        setting = _setting(arguments, config, model, yes=arguments.yes)
        return await _play(arguments, config, Order(new_run_id(), name, model, task, dict(inputs), setting), new=True)

    return await ask(arguments, config, model_of(model, ROUTER, script), play)


async def resume(arguments: argparse.Namespace) -> int:
    """Let a paused run go on; take up one whose process has ended before it."""
    from ..engine.kept import database_url, left_over
    from .steer import resumed

    home = home_folder(arguments)
    async with await open_journal(arguments) as journal:
        found = await known_run(journal, arguments.run_id)
        left = left_over(database_url(home), found.run_id)
        if left is None:
            said = f"{found.run_id} has ended: {found.status}."
            raise Failure("run_ended", said, f"See `flotilla show {found.run_id}`.")
        was_paused = await resumed(journal, found)
    order, turn = left
    try:
        return _ended(arguments, await _play(arguments, load(Path(str(order.setting["configs"]))), order, turn))
    except Failure as failure:
        if not (was_paused and failure.code == "run_active"):
            raise
    answer = {"run_id": found.run_id, "state": "running"}
    say(arguments, answer, f"{found.run_id}: goes on, in the process that it was paused in.", sys.stdout)
    return 0


async def follow(arguments: argparse.Namespace) -> int:
    """One more turn of the lead of a run that has ended, with all that it knows."""
    from ..engine.kept import database_url, next_turn

    text = given_task(arguments)
    check_task(text)
    async with await open_journal(arguments, read_only=True) as journal:
        found = await known_run(journal, arguments.run_id)
    if found.status in ("queued", "running", "interrupted"):
        said = f"{found.run_id} has not ended: {found.status}."
        raise Failure("run_not_ended", said, "`flotilla tell` reaches a lead at work, `flotilla resume` goes on.")
    order, turn = next_turn(database_url(home_folder(arguments)), found.run_id, text)
    config = load(Path(str(order.setting["configs"])))
    if order.playbook not in config.playbooks or config.playbooks[order.playbook].lead is None:
        raise Failure("no_lead", f"{order.playbook} has no lead that could go on.", "Start a new run.")
    return _ended(arguments, await _play(arguments, config, order, turn))


def _order(arguments: argparse.Namespace, config: Config, playbook: str, inputs: dict[str, JsonValue]) -> Order:
    model = _model(arguments)
    setting = _setting(arguments, config, model, yes=arguments.yes)
    return Order(new_run_id(), playbook, model, given_task(arguments), inputs, setting)


def _model(arguments: argparse.Namespace) -> str:
    if arguments.yes and not arguments.rehearse:
        raise Failure("not_a_rehearsal", "--yes approves everything, so it goes only with --rehearse.", "Leave it out.")
    return "rehearsal" if arguments.rehearse else "claude"


def _setting(
    arguments: argparse.Namespace, config: Config, model: str, *, yes: bool, sample: str = ""
) -> dict[str, JsonValue]:
    """What another process has to know to go on with the run.

    Args:
        sample: the run in whose folder the sample company is.
    """
    script: Path | None = getattr(arguments, "script", None)
    if script and model != "rehearsal":
        raise Failure("not_a_rehearsal", "--script is what a rehearsal plays.", "Add --rehearse, or leave it out.")
    setting: dict[str, JsonValue] = {"configs": str(config.folder.absolute()), "yes": yes, "sample": sample}
    return setting | ({"script": str(script.absolute())} if script else {})


def _script(arguments: argparse.Namespace, config: Config, name: str) -> Path:
    script: Path | None = getattr(arguments, "script", None)
    return script or config.folder / "rehearsals" / f"{name}.yaml"


def _ended(arguments: argparse.Namespace, record: dict[str, object]) -> int:
    if arguments.json:
        print_json(record)
    return 0 if record["status"] == "ok" else 1


async def _play(
    arguments: argparse.Namespace, config: Config, order: Order, turn: "Follow | None" = None, *, new: bool = False
) -> dict[str, object]:
    """Run it, or go on with it, and show it to people; returns its record.

    Args:
        new: nobody else can be at work on it.
    """
    recorder = _recorder(arguments, config)
    rehearse, yes = order.model == "rehearsal", bool(order.setting["yes"])
    if not rehearse:
        provider.live(os.environ)  # without a credential nothing is begun
    check_inputs(config, order.playbook, order.task, order.inputs)
    os.environ.pop(TOKEN_VARIABLE, None)  # it may approve, and this process must not
    from rich.console import Console

    from .stage import Stage, run_folder

    home, console = home_folder(arguments), Console()
    folder = run_folder(home, order.run_id)
    if rehearse and not arguments.json:
        banner = "model: rehearsal. A script stands in for Claude; servers, tools and effects are real."
        approver = "\nApprovals are given by demo-approver, a process of its own: this one cannot." if yes else ""
        console.print(f"{banner}{approver}\n", style="yellow", soft_wrap=True)
    async with Stage(config, home, folder, recorder) as stage:
        if new:
            await stage.start(order)  # while they do, the engine is imported
        from ..engine.launch import run_playbook
        from ..records.ledger import Ledger
        from ..views.show import Progress, as_record, result

        progress = None if arguments.json else Progress(console)
        async with await open_journal(arguments, [progress] if progress else []) as journal:
            if progress:
                progress.recall(await journal.spans(order.run_id))
            opening = partial(stage.opened, journal, progress)
            with progress or nullcontext():
                run = await run_playbook(config, order, home=home, journal=journal, opening=opening, follow=turn)
            spans, entries = await journal.spans(order.run_id), await Ledger(journal.database).entries(order.run_id)
        record = as_record(run, spans, entries) | {"folder": str(folder)}
        if not arguments.json:
            console.print(result(run, spans))
            console.print(f"trace: flotilla trace {order.run_id}   logs: {folder}", soft_wrap=True)
        if recorder:
            origin = f"{run.run_id} ({run.model}, {run.started_at[:10]})"
            record["recording"] = recording = recorder.write(order.playbook, origin)
            if not arguments.json:
                console.print(f"recording: {recording}", soft_wrap=True, highlight=False, markup=False)
    return record


def _recorder(arguments: argparse.Namespace, config: Config) -> "Recorder | None":
    file: Path | None = getattr(arguments, "record", None)
    if file is None:
        return None
    from .recording import open_recorder

    return open_recorder(file, config)

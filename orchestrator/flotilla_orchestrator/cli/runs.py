"""The commands that run playbooks: `flotilla demo`, `run`, `ask`, `resume`, `follow`."""

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
from ..config.config import Config
from ..config.fields import ROUTER
from ..config.files import load
from ..errors import Failure
from ..run_request import RunRequest, check_task, checked_request, new_run_id, parse_inputs
from .approver_token import TOKEN_VARIABLE
from .arguments import (
    config_folder,
    given_task,
    home_folder,
    known_run,
    named_playbook,
    open_journal,
    print_answer,
    print_json,
)

if TYPE_CHECKING:
    from flotilla_rehearsal.recorder import Recorder

    from ..durable.workflow_store import FollowUp


async def demo(arguments: argparse.Namespace) -> int:
    config = load(config_folder(arguments))
    playbook = named_playbook(config, arguments.playbook)
    if playbook.example is None:
        raise Failure("no_example", f"The playbook {playbook.name} has no example.", "Use `flotilla run`.")
    example, model = playbook.example, "claude" if arguments.live else "rehearsal"
    setting = _settings(arguments, config, model, yes=not arguments.live, sample=new_run_id())
    inputs = {**example.inputs, **parse_inputs(arguments.input, playbook.inputs)}
    first = RunRequest(str(setting["sample"]), playbook.name, model, example.task, inputs, setting)
    if not arguments.later:
        return _exit_code(arguments, await _run_and_show(arguments, config, first, new=True))
    if arguments.record:
        raise Failure("invalid_arguments", "--record writes one run, and --later plays two.", "Leave one of them out.")
    if example.later is None:
        raise Failure("no_example", f"The example of {playbook.name} has nothing that comes later.", "See `later`.")
    later = replace(first, run_id=new_run_id(), task=example.later)
    records = [await _run_and_show(arguments, config, request, new=True) for request in (first, later)]
    if arguments.json:
        print_json({"runs": records})
    return 0 if all(record["status"] == "ok" for record in records) else 1


async def run(arguments: argparse.Namespace) -> int:
    config = load(config_folder(arguments))
    playbook = named_playbook(config, arguments.playbook)
    request = _new_request(arguments, config, playbook.name, parse_inputs(arguments.input, playbook.inputs))
    if arguments.priority and not arguments.queue:
        raise Failure("invalid_arguments", "--priority is of runs that wait.", "Give --queue too, or leave it out.")
    if arguments.plan:
        from .plan import show_plan

        if arguments.record:
            raise Failure("invalid_arguments", "--record writes a run, and --plan starts none.", "Leave one out.")
        return show_plan(arguments, config, request, _script(arguments, config, playbook.name))
    if arguments.queue:
        return await _enqueue(arguments, config, request)
    return _exit_code(arguments, await _run_and_show(arguments, config, request, new=True))


async def _enqueue(arguments: argparse.Namespace, config: Config, request: RunRequest) -> int:
    """Put a run into the queue of `flotilla work`."""
    if arguments.record:
        raise Failure("invalid_arguments", "--record needs the run in this process.", "Leave --queue out.")
    request, _ = checked_request(config, request)
    from ..runs.run_queue import run_queue

    async with await open_journal(arguments) as journal, run_queue(home_folder(arguments), journal) as queue:
        await queue.submit(request)
    text = f"{request.run_id} is queued: `flotilla work` works on it, `flotilla runs` lists it."
    print_answer(arguments, {"run_id": request.run_id, "state": "queued"}, text, sys.stdout)
    return 0


async def ask(arguments: argparse.Namespace) -> int:
    from .ask import ask
    from .run_resources import open_model

    config = load(config_folder(arguments))
    model = _model(arguments)
    script = _script(arguments, config, ROUTER)

    async def play(name: str, task: str, inputs: Mapping[str, JsonValue]) -> dict[str, object]:
        setting = _settings(arguments, config, model, yes=arguments.yes)
        return await _run_and_show(
            arguments, config, RunRequest(new_run_id(), name, model, task, dict(inputs), setting), new=True
        )

    return await ask(arguments, config, open_model(model, ROUTER, script), play)


async def resume(arguments: argparse.Namespace) -> int:
    """Resume a paused run, or one whose process has ended before it."""
    from ..durable.workflow_store import database_url, run_queued, unfinished_turn
    from ..journal.queue_outbox import is_in_outbox
    from ..runs.run_control import resume_run

    home = home_folder(arguments)
    async with await open_journal(arguments) as journal:
        found = await known_run(journal, arguments.run_id)
        if await journal.query(is_in_outbox, found.run_id):
            raise run_queued(found.run_id)
        unfinished = unfinished_turn(database_url(home), found.run_id)
        if unfinished is None:
            message = f"{found.run_id} has ended: {found.status}."
            raise Failure("run_ended", message, f"See `flotilla show {found.run_id}`.")
        was_paused = await resume_run(journal, found)
    request, turn = unfinished
    try:
        return _exit_code(
            arguments, await _run_and_show(arguments, load(Path(str(request.setting["configs"]))), request, turn)
        )
    except Failure as failure:
        if not (was_paused and failure.code == "run_active"):
            raise
    answer = {"run_id": found.run_id, "state": "running"}
    print_answer(arguments, answer, f"{found.run_id}: resumes, in the process that it was paused in.", sys.stdout)
    return 0


async def follow(arguments: argparse.Namespace) -> int:
    """One more turn of the lead of a run that has ended, with all that it knows."""
    from ..durable.workflow_store import database_url, further_turn, workflow_client
    from ..journal.steering import forget_cancellation
    from ..runs.unattended import find_unattended

    text = given_task(arguments)
    check_task(text)
    async with await open_journal(arguments, read_only=True) as journal:
        found = await known_run(journal, arguments.run_id)
        stopped = (await find_unattended(journal, home_folder(arguments))).stop_times
    if found.status in ("queued", "running", "interrupted"):
        message = f"{found.run_id} has not ended: {'interrupted' if found.run_id in stopped else found.status}."
        raise Failure("run_not_ended", message, "`flotilla tell` reaches a lead at work, `flotilla resume` resumes it.")
    with workflow_client(database_url(home_folder(arguments))) as client:
        request, turn = further_turn(client, found.run_id, text)
    config = load(Path(str(request.setting["configs"])))
    if request.playbook not in config.playbooks or config.playbooks[request.playbook].lead is None:
        raise Failure("no_lead", f"{request.playbook} has no lead that could go on.", "Start a new run.")
    async with await open_journal(arguments) as journal:
        await journal.database.write(forget_cancellation, found.run_id)
    return _exit_code(arguments, await _run_and_show(arguments, config, request, turn))


def _new_request(
    arguments: argparse.Namespace, config: Config, playbook: str, inputs: dict[str, JsonValue]
) -> RunRequest:
    model = _model(arguments)
    setting = _settings(arguments, config, model, yes=arguments.yes)
    priority = arguments.priority or "normal"
    return RunRequest(new_run_id(), playbook, model, given_task(arguments), inputs, setting, priority=priority)


def _model(arguments: argparse.Namespace) -> str:
    if arguments.yes and not arguments.rehearse:
        raise Failure("not_a_rehearsal", "--yes approves everything, so it goes only with --rehearse.", "Leave it out.")
    return "rehearsal" if arguments.rehearse else "claude"


def _settings(
    arguments: argparse.Namespace, config: Config, model: str, *, yes: bool, sample: str = ""
) -> dict[str, JsonValue]:
    """The settings with which another process can resume the run.

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


def _exit_code(arguments: argparse.Namespace, record: dict[str, object]) -> int:
    if arguments.json:
        print_json(record)
    return 0 if record["status"] == "ok" else 1


async def _run_and_show(
    arguments: argparse.Namespace,
    config: Config,
    request: RunRequest,
    follow_up: "FollowUp | None" = None,
    *,
    new: bool = False,
) -> dict[str, object]:
    """Run a request, or resume it, and show it to people; returns its record.

    Args:
        new: no other process can be at work on it.
    """
    recorder = _recorder(arguments, config)
    rehearse, yes = request.model == "rehearsal", bool(request.setting["yes"])
    if not rehearse:
        provider.live(os.environ)  # without a credential nothing is begun
    request, _ = checked_request(config, request)
    os.environ.pop(TOKEN_VARIABLE, None)  # it may approve, and this process must not
    from rich.console import Console

    from .run_resources import ProcessResources, run_folder
    from .telemetry import telemetry_opened

    home, console = home_folder(arguments), Console()
    folder = run_folder(home, request.run_id)
    if rehearse and not arguments.json:
        banner = "model: rehearsal. A script in place of Claude; servers, tools and effects are real."
        approver = "\nApprovals are given by demo-approver, a process of its own: this one cannot." if yes else ""
        console.print(f"{banner}{approver}\n", style="yellow", soft_wrap=True)
    async with (
        telemetry_opened() as telemetry,
        ProcessResources(config, home, folder, recorder, traces=telemetry.traces) as resources,
    ):
        if new:
            await resources.start(request)  # while they do, DBOS is imported
        from ..journal.ledger import Ledger
        from ..runs.launch import run_playbook
        from ..views.progress import Progress
        from ..views.result import as_record, result

        progress = None if arguments.json else Progress(console)
        listeners = [*([progress] if progress else []), *telemetry.listeners]
        async with await open_journal(arguments, listeners) as journal:
            if progress:
                progress.recall(await journal.spans(request.run_id))
            opening = partial(resources.for_run, journal, progress)
            with progress or nullcontext():
                run = await run_playbook(config, request, home=home, journal=journal, opening=opening, follow=follow_up)
            spans, entries = await journal.spans(request.run_id), await Ledger(journal.database).entries(request.run_id)
        record = as_record(run, spans, entries) | {"folder": str(folder)}
        if not arguments.json:
            console.print(result(run, spans))
            console.print(f"trace: flotilla trace {request.run_id}   logs: {folder}", soft_wrap=True)
        if recorder:
            origin = f"{run.run_id} ({run.model}, {run.started_at[:10]})"
            record["recording"] = recording = recorder.write(request.playbook, origin)
            if not arguments.json:
                console.print(f"recording: {recording}", soft_wrap=True, highlight=False, markup=False)
    return record


def _recorder(arguments: argparse.Namespace, config: Config) -> "Recorder | None":
    file: Path | None = getattr(arguments, "record", None)
    if file is None:
        return None
    from .recording import open_recorder

    return open_recorder(file, config)

"""The commands that read the journal: `flotilla runs`, `show`, `trace` and `stats`."""

import argparse
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.files import load
from ..errors import Failure
from .arguments import config_folder, home_folder, known_run, open_journal, print_answer, print_json

if TYPE_CHECKING:
    from ..journal.allowances import LedgerEntry
    from ..journal.journal import Run, Span


async def runs(arguments: argparse.Namespace) -> int:
    """List runs, or with --prune remove old ones."""
    from ..journal.runs_list import listed
    from ..runs.unattended import find_unattended

    if arguments.prune:
        return await _prune(arguments)
    if arguments.older_than or arguments.dry_run:
        raise Failure("invalid_arguments", "--older-than and --dry-run go with --prune only.", "Add --prune.")
    async with await open_journal(arguments, read_only=True) as journal:
        unattended = await find_unattended(journal, home_folder(arguments))
        found = await journal.query(
            listed, arguments.state, arguments.limit, unattended.stop_times, unattended.resume_commands
        )
    if arguments.json:
        print_json({"runs": [asdict(run) | {"seconds": round(run.seconds, 3)} for run in found]})
        return 0
    from ..views.tables import console, runs_table

    if found:
        console().print(runs_table(found))
    else:
        print_answer(
            arguments, {}, "No runs." if arguments.state else "No runs yet; start with `flotilla demo`.", sys.stdout
        )
    return 0


async def _prune(arguments: argparse.Namespace) -> int:
    from ..durable.workflow_store import database_url, delete_workflows
    from ..journal.retention import age, prune
    from ..runs.unattended import find_unattended

    if arguments.state:
        raise Failure("invalid_arguments", "--prune takes no --state.", "Say which runs with --older-than.")
    older = age(arguments.older_than or f"{load(config_folder(arguments)).fleet.limits.transcripts_days}d")
    home, dry_run = home_folder(arguments), arguments.dry_run
    async with await open_journal(arguments, read_only=dry_run) as journal:
        stopped = (await find_unattended(journal, home)).stop_times
        forget = partial(delete_workflows, database_url(home))
        removed = await prune(journal, home / "runs", older, stopped, dry_run=dry_run, forget=forget)
    lines = [*removed, f"{'would remove' if dry_run else 'removed'}: {len(removed)}, rows and folders"]
    print_answer(arguments, {"run_ids": removed, "dry_run": dry_run}, "\n".join(lines), sys.stdout)
    return 0


async def stats(arguments: argparse.Namespace) -> int:
    from ..journal.stats import stats

    async with await open_journal(arguments, read_only=True) as journal:
        found = await journal.query(stats, arguments.days, arguments.playbook)
    if arguments.json:
        print_json(found)
    else:
        from ..views.tables import console, stats_tables

        console().print(stats_tables(found))
    return 0


async def show(arguments: argparse.Namespace) -> int:
    from ..journal import artifacts

    if arguments.artifact:
        return await _artifact(arguments)
    run, spans, entries, resume_command = await _found(arguments)
    from ..views.result import as_record, result

    async with await open_journal(arguments, read_only=True) as journal:
        written = await journal.query(artifacts.listed, run.run_id)
    if arguments.json:
        named = [artifact.facts for artifact in written]
        print_json(as_record(run, spans, entries) | {"resume_command": resume_command, "artifacts": named})
        return 0
    from rich.console import Console

    console = Console()
    console.print(f"{run.run_id} · {run.playbook} · {run.started_at} · {dict(run.inputs)}", soft_wrap=True)
    console.print(run.task.strip(), style="italic", markup=False)
    console.print(result(run, spans))
    for artifact in written:
        line = f"artifact: {artifact.name} · {artifact.size} bytes · {artifact.worker}"
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    if written:
        console.print(f"text of one: flotilla show {run.run_id} --artifact NAME", style="dim", soft_wrap=True)
    if resume_command:
        console.print(_unattended(resume_command), soft_wrap=True)
    return 0


async def _artifact(arguments: argparse.Namespace) -> int:
    """Print one as it was written."""
    from ..journal import artifacts

    async with await open_journal(arguments, read_only=True) as journal:
        run = await known_run(journal, arguments.run_id)
        text = await journal.query(artifacts.read, run.run_id, arguments.artifact)
    if arguments.json:
        print_json({"run_id": run.run_id, "name": arguments.artifact, "text": text})
    else:
        sys.stdout.buffer.write(text.encode())
    return 0


async def trace(arguments: argparse.Namespace) -> int:
    run, spans, entries, resume_command = await _found(arguments)
    if arguments.html:
        return _page(arguments, run, spans, resume_command)
    from ..views.result import as_record, took
    from ..views.tree import tree

    if arguments.json:
        listed = [asdict(span) for span in spans]
        print_json(as_record(run, spans, entries) | {"resume_command": resume_command, "spans": listed})
        return 0
    from ..views.tables import console

    out = console()
    if found := tree(spans):
        out.print(found, soft_wrap=not out.is_terminal)
    out.print(took(run, spans))
    if resume_command:
        out.print(_unattended(resume_command), soft_wrap=True)
    return 0


def _unattended(resume_command: str) -> str:
    return f"No process is at work on it; `{resume_command}` resumes it."


def _page(arguments: argparse.Namespace, run: "Run", spans: "list[Span]", resume_command: str | None) -> int:
    from ..views.trace_html import page

    # Text of a model may have half a surrogate pair, which no encoding has a place for.
    written = page(run, spans, resume_command).encode("utf-8", "replace")
    if arguments.html == "-":
        if arguments.json:
            raise Failure("invalid_arguments", "--json and --html - both take standard output.", "Name a file.")
        sys.stdout.buffer.write(written)
        return 0
    file = Path(arguments.html)
    file.write_bytes(written)
    print_answer(
        arguments, {"run_id": run.run_id, "html": str(file)}, f"Wrote {file}: open it in a browser.", sys.stdout
    )
    return 0


async def _found(arguments: argparse.Namespace) -> "tuple[Run, list[Span], list[LedgerEntry], str | None]":
    """A run with its spans and ledger, and the command that resumes it if no process is at work on it."""
    from ..journal.interrupted import as_stopped
    from ..journal.ledger import Ledger
    from ..runs.unattended import find_unattended

    async with await open_journal(arguments, read_only=True) as journal:
        run = await journal.run(arguments.run_id)
        if run is None:
            which = "recorded yet" if arguments.run_id == "last" else arguments.run_id
            raise Failure("unknown_run", f"There is no run {which}.", "See --home, or start with `flotilla demo`.")
        unattended = await find_unattended(journal, home_folder(arguments))
        spans, entries = await journal.spans(run.run_id), await Ledger(journal.database).entries(run.run_id)
        if moment := unattended.stop_times.get(run.run_id):
            run, spans = as_stopped(run, spans, moment)
        return run, spans, entries, unattended.resume_commands.get(run.run_id)

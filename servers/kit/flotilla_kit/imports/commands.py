"""`flotilla-NAME import FILE`: all of a file into the store, or nothing of it and why."""

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..settings import ServerSettings, SettingsError, closest
from ..storage import Store
from ..terminal.arguments import add_json
from ..terminal.output import say, tell, visible
from ..terminal.progress import progress_bar
from .importer import Importer, import_into
from .problems import ImportRefused, ImportStopped
from .source import Source


def describe(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--kind", metavar="NAME", help="what the file holds, where a server imports several kinds")
    parser.add_argument(
        "--map",
        type=_renamed,
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help="which of the file's columns one of ours is; can be repeated",
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything against the store, change nothing")
    add_json(parser)


def run(
    importers: Sequence[Importer[Any, Any]],
    create_store: Callable[[Any], Store],
    settings: ServerSettings,
    arguments: argparse.Namespace,
) -> int:
    """Do what the command line says. Exit code 1: nothing was imported.

    Raises:
        SettingsError: the server imports no such files, or only reads.
        StoreUnavailable: the store's database does not answer.
    """
    importer = _chosen(importers, arguments.kind)
    if settings.read_only:
        raise SettingsError("an import changes the store; leave out --read-only")
    return asyncio.run(_run(importer, create_store(settings), arguments))


async def _run(importer: Importer[Any, Any], store: Store, arguments: argparse.Namespace) -> int:
    noun, dry_run = importer.format.noun, bool(arguments.dry_run)
    source = Source(arguments.file, dict(arguments.map))
    await store.open()
    try:
        if store.database is None:
            raise SettingsError("this server's store has no database to import into")
        with progress_bar(
            visible(arguments.file.name), lambda: (source.position, source.size), shown=not arguments.json
        ) as advance:
            loaded = await import_into(store.database, importer, source, dry_run=dry_run, advance=advance)
    except ImportRefused as refused:
        return _refused(arguments, refused)
    except ImportStopped:
        tell("Stopped. Nothing was imported.")
        return 1
    finally:
        await store.close()
    if arguments.json:
        _say_json(arguments, imported=not dry_run, counts=loaded.as_dict())
    else:
        say(loaded.said(noun, dry_run=dry_run))
    return 0


def _refused(arguments: argparse.Namespace, refused: ImportRefused) -> int:
    if arguments.json:
        problems = [problem.as_dict() for problem in refused.problems]
        _say_json(arguments, imported=False, problems=problems, more_problems=refused.more)
    else:
        for line in refused.lines():
            tell(line)
        tell("Nothing was imported.")
    return 1


def _say_json(
    arguments: argparse.Namespace,
    *,
    imported: bool,
    counts: dict[str, int] | None = None,
    problems: Sequence[dict[str, Any]] = (),
    more_problems: int = 0,
) -> None:
    outcome = {
        "file": str(arguments.file),
        "imported": imported,
        "dry_run": arguments.dry_run,
        "counts": counts,
        "problems": list(problems),
        "more_problems": more_problems,
    }
    say(json.dumps(outcome))


def _chosen(importers: Sequence[Importer[Any, Any]], kind: str | None) -> Importer[Any, Any]:
    kinds = {importer.format.noun: importer for importer in importers}
    if not kinds:
        raise SettingsError("this server imports no files")
    if kind is None and len(kinds) == 1:
        return importers[0]
    if kind is None:
        raise SettingsError(f"this server imports several kinds of files; give --kind {'|'.join(kinds)}")
    if kind not in kinds:
        raise SettingsError(f"this server imports no {visible(kind)}{closest(kind, list(kinds))}")
    return kinds[kind]


def _renamed(text: str) -> tuple[str, str]:
    theirs, _, ours = (part.strip().lower() for part in text.rpartition("="))
    if not theirs or not ours:
        raise argparse.ArgumentTypeError(f"{text!r} is not THEIRS=OURS, such as 'Payment ref=id'")
    return theirs, ours

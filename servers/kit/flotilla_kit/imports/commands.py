"""`flotilla-NAME import FILE`: a file or folder into the store, or what is wrong with it."""

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..settings import ServerSettings, SettingsError, closest
from ..storage import Store
from ..terminal.arguments import add_json, add_options, given_options
from ..terminal.output import say, tell, visible
from ..terminal.progress import progress_bar
from .importer import Importer, import_into
from .problems import ImportRefused, ImportStopped
from .source import Source


def describe(parser: argparse.ArgumentParser, options: Mapping[str, str]) -> None:
    """Its arguments.

    Args:
        options: of this server only, with what each means.
    """
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
    add_options(parser, options)
    parser.add_argument("--dry-run", action="store_true", help="check everything against the store, change nothing")
    add_json(parser)


def run(
    importers: Sequence[Importer[Any, Any]],
    create_store: Callable[[Any], Store],
    settings: ServerSettings,
    arguments: argparse.Namespace,
) -> int:
    """Do what the command line says. Exit code 1: nothing was imported, or not all of it.

    Raises:
        SettingsError: the server imports no such files, or only reads.
        StoreUnavailable: the store's database does not answer.
    """
    importer = _chosen(importers, arguments.kind, arguments.file)
    if settings.read_only:
        raise SettingsError("an import changes the store; leave out --read-only")
    return asyncio.run(_run(importer, create_store(settings), arguments))


async def _run(importer: Importer[Any, Any], store: Store, arguments: argparse.Namespace) -> int:
    noun, dry_run = importer.format.noun, bool(arguments.dry_run)
    options = given_options(arguments)
    source = Source(arguments.file, dict(arguments.map), options)
    await store.open()
    try:
        if store.database is None:
            raise SettingsError("this server's store has no database to import into")
        passes = importer.passes(source, dry_run=dry_run)
        with progress_bar(
            visible(arguments.file.name), lambda: (source.position, source.size * passes), shown=not arguments.json
        ) as advance:
            loaded = await import_into(store.database, importer, source, dry_run=dry_run, advance=advance)
    except ImportRefused as refused:
        return _refused(arguments, noun, refused)
    except ImportStopped as stopped:
        tell(f"Stopped. {_kept(noun, stopped.committed)}")
        return 1
    finally:
        await store.close()
    if arguments.json:
        _say_json(arguments, imported=not dry_run, counts=loaded.as_dict(), left_out=source.left_out)
    else:
        say(loaded.said(noun, dry_run=dry_run))
        if source.left_out:
            say("left out: " + ", ".join(f"{count} {what}" for what, count in source.left_out.items()))
    return 0


def _refused(arguments: argparse.Namespace, noun: str, refused: ImportRefused) -> int:
    if arguments.json:
        problems = [problem.as_dict() for problem in refused.problems]
        _say_json(arguments, imported=False, problems=problems, more_problems=refused.more, committed=refused.committed)
    else:
        for line in refused.lines():
            tell(line)
        tell(_kept(noun, refused.committed))
    return 1


def _kept(noun: str, committed: int) -> str:
    if not committed:
        return "Nothing was imported."
    return f"{committed} {noun} had been imported before that; the same import goes on from there."


def _say_json(
    arguments: argparse.Namespace,
    *,
    imported: bool,
    counts: dict[str, int] | None = None,
    problems: Sequence[dict[str, Any]] = (),
    more_problems: int = 0,
    left_out: Mapping[str, int] | None = None,
    committed: int = 0,
) -> None:
    outcome: dict[str, Any] = {
        "file": str(arguments.file),
        "imported": imported,
        "dry_run": arguments.dry_run,
        "counts": counts,
        "problems": list(problems),
        "more_problems": more_problems,
        **({"left_out": dict(left_out)} if left_out else {}),
        **({"committed": committed} if committed else {}),
    }
    say(json.dumps(outcome))


def _chosen(importers: Sequence[Importer[Any, Any]], kind: str | None, file: Path) -> Importer[Any, Any]:
    kinds = {importer.format.name: importer for importer in importers}
    if not kinds:
        raise SettingsError("this server imports no files")
    if kind is None and len(kinds) == 1:
        return importers[0]
    if kind is None:
        likely = [importer for importer in importers if importer.format.recognises(file)]
        if len(likely) == 1:
            return likely[0]
        raise SettingsError(f"this server imports several kinds of files; give --kind {'|'.join(kinds)}")
    if kind not in kinds:
        raise SettingsError(f"this server imports no {visible(kind)}{closest(kind, list(kinds))}")
    return kinds[kind]


def _renamed(text: str) -> tuple[str, str]:
    theirs, _, ours = (part.strip().lower() for part in text.rpartition("="))
    if not theirs or not ours:
        raise argparse.ArgumentTypeError(f"{text!r} is not THEIRS=OURS, such as 'Payment ref=id'")
    return theirs, ours

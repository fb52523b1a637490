"""`flotilla-NAME export PATH`: what the store holds, into a new file or folder."""

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..settings import ServerSettings, SettingsError, closest
from ..storage import Store
from ..terminal.arguments import add_json, add_options, given_options
from ..terminal.output import say, visible
from ..terminal.progress import progress_bar
from .exporter import Exporter, Progress, export_to


def describe(parser: argparse.ArgumentParser, options: Mapping[str, str]) -> None:
    """Its arguments.

    Args:
        options: of this server only, with what each means.
    """
    parser.add_argument("path", type=Path, metavar="PATH", help="a new file or folder")
    parser.add_argument("--kind", metavar="NAME", help="what to write, where a server writes several kinds")
    add_options(parser, options)
    add_json(parser)


def run(
    exporters: Sequence[Exporter],
    create_store: Callable[[Any], Store],
    settings: ServerSettings,
    arguments: argparse.Namespace,
) -> int:
    """Do what the command line says.

    Raises:
        SettingsError: the server exports nothing, or not this.
        OSError: the destination exists already, or cannot be written.
        StoreUnavailable: the store's database does not answer.
    """
    return asyncio.run(_run(_chosen(exporters, arguments.kind), create_store(settings), arguments))


async def _run(exporter: Exporter, store: Store, arguments: argparse.Namespace) -> int:
    options = given_options(arguments)
    await store.open()
    try:
        if store.database is None:
            raise SettingsError("this server's store has no database to export")
        progress, name = Progress(), visible(arguments.path.name)
        with progress_bar(name, lambda: (progress.done, progress.total), shown=not arguments.json) as advance:
            progress.show = advance
            written = await export_to(store.database, exporter, arguments.path, options, progress)
    finally:
        await store.close()
    if arguments.json:
        say(json.dumps({"path": str(arguments.path), "kind": exporter.kind, "counts": dict(written)}))
    else:
        say("exported " + ", ".join(f"{count} {what}" for what, count in written.items()))
    return 0


def _chosen(exporters: Sequence[Exporter], kind: str | None) -> Exporter:
    kinds = {exporter.kind: exporter for exporter in exporters}
    if not kinds:
        raise SettingsError("this server exports nothing")
    if kind is None and len(kinds) == 1:
        return exporters[0]
    if kind is None:
        raise SettingsError(f"this server exports several kinds of files; give --kind {'|'.join(kinds)}")
    if kind not in kinds:
        raise SettingsError(f"this server exports no {visible(kind)}{closest(kind, list(kinds))}")
    return kinds[kind]

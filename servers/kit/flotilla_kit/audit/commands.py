"""`flotilla-NAME audit verify|export|head`, beside a running server or without one. Nothing is written or created."""

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ..settings import ServerSettings
from ..storage.database import Database
from ..storage.records import read_records
from ..storage.store import Store
from ..terminal.arguments import add_actions, add_json, whole_number
from ..terminal.output import say, tell, visible
from .anchors import Anchor, read_anchors
from .chain import head
from .verification import export, verify

_CHUNK = 5_000  # records a transaction: one held open while a slow reader reads would keep SQLite's log from shrinking


def describe(parser: argparse.ArgumentParser) -> None:
    """Its actions and their arguments."""
    add = add_actions(parser)
    verifying = add("verify", "check the whole chain for any changed, missing or moved record")
    verifying.add_argument("--anchor", type=Path, metavar="FILE", help="heads noted outside (default: --audit-anchor)")
    add_json(verifying)
    exporting = add("export", "print every record as a line of JSON")
    exporting.add_argument(
        "--after", type=whole_number, default=0, metavar="SEQ", help="only the records after this one"
    )
    add("head", "print the last record's number and hash, to note it outside")


def run(create_store: Callable[[Any], Store], settings: ServerSettings, arguments: argparse.Namespace) -> int:
    """Do what the command line says.

    Raises:
        StoreUnavailable: the audit's database cannot be read.
    """
    try:
        return asyncio.run(_run(create_store, settings, arguments))
    except DBAPIError as error:
        tell(f"The audit cannot be read, so it proves nothing: {visible(str(error.orig))}")
        return 1


async def _run(create_store: Callable[[Any], Store], settings: ServerSettings, arguments: argparse.Namespace) -> int:
    async with read_records(settings, create_store) as records:
        match arguments.action:
            case "verify":
                return await _verify(records, arguments.anchor, settings.audit_anchor, as_json=arguments.json)
            case "export":
                return await _export(records, arguments.after)
            case _:
                say(json.dumps(asdict(await records.read(head))))
                return 0


async def _verify(records: Database, named: Path | None, default: Path | None, *, as_json: bool) -> int:
    path = named or default
    anchors: Sequence[Anchor] = ()
    if path is not None:
        # Before the chain: a running server's next anchor would be of a record that is not in what is read.
        try:
            anchors = read_anchors(path)
        except ValueError as error:
            tell(str(error))
            return 1
    verdict = await records.read(verify, anchors)
    problems = list(verdict.problems)
    if path is not None and not path.exists() and (named or verdict.records):
        problems.append(f"there is no anchor file {path}")
    found = {"ok": not problems, "records": verdict.records, "seq": verdict.head_seq, "hash": verdict.head_hash}
    if as_json:
        say(json.dumps(found | {"anchors": len(anchors), "problems": problems}, indent=2))
    else:
        compared = f"{len(anchors)} anchors compared" if path else "no anchor file compared"
        say(f"{verdict.records} records, {compared}; the last is {verdict.head_seq} with hash {verdict.head_hash}")
        say("The chain is sound." if not problems else "The chain is NOT sound:")
        for problem in problems:
            say(f"  {visible(problem)}")
    return 1 if problems else 0


async def _export(records: Database, after: int) -> int:
    while rows := await records.read(_chunk, after):
        for row in rows:
            say(json.dumps(row))
        after = int(str(rows[-1]["seq"]))
    return 0


def _chunk(connection: Connection, after: int) -> list[dict[str, JsonValue]]:
    return [*islice(export(connection, after), _CHUNK)]

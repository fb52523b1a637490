"""`flotilla-NAME audit verify|export|head`, beside a running server or without one. Nothing is written or created."""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from . import audit
from .audit import Anchor
from .database import Database
from .records import open_records
from .settings import ServerSettings
from .terminal import say, tell, visible

if TYPE_CHECKING:
    from .cli import ServerSpec

_CHUNK = 5_000  # records a transaction: one held open while a slow reader reads would keep SQLite's log from shrinking


def run_audit(spec: "ServerSpec", settings: ServerSettings, arguments: argparse.Namespace) -> int:
    """Do what the command line says.

    Raises:
        StoreUnavailable: the audit's database cannot be read.
    """
    try:
        return asyncio.run(_run(spec, settings, arguments))
    except DBAPIError as error:
        tell(f"The audit cannot be read, so it proves nothing: {visible(str(error.orig))}")
        return 1


async def _run(spec: "ServerSpec", settings: ServerSettings, arguments: argparse.Namespace) -> int:
    # A store that is opened to be read neither drives on what is unsettled nor loads a sample.
    store = spec.create_store(settings.model_copy(update={"read_only": True}))
    await store.open()
    try:
        async with open_records(settings, store, read_only=True) as records:
            match arguments.action:
                case "verify":
                    return await _verify(records, arguments.anchor, settings.audit_anchor, as_json=arguments.json)
                case "export":
                    return await _export(records, arguments.after)
                case _:
                    say(json.dumps(asdict(await records.read(audit.head))))
                    return 0
    finally:
        await store.close()


async def _verify(records: Database, named: Path | None, default: Path | None, *, as_json: bool) -> int:
    path = named or default
    anchors: Sequence[Anchor] = ()
    if path is not None:
        # Before the chain: a running server's next anchor would be of a record that is not in what is read.
        try:
            anchors = audit.read_anchors(path)
        except ValueError as error:
            tell(str(error))
            return 1
    verdict = await records.read(audit.verify, anchors)
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
    return [*islice(audit.export(connection, after), _CHUNK)]

"""Transcripts in the journal's database: the Agent SDK's SessionStore."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from claude_agent_sdk import SessionStore
from claude_agent_sdk.types import SessionKey, SessionListSubkeysKey, SessionStoreEntry, SessionStoreListEntry
from flotilla_kit.storage import Database
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
)

_RECORD_S = 10  # how long a call may wait for its line; the CLI hands lines over every 0.1 s

# Where the CLI is in the transcript, which it says now and then. It would go on from there, although more has been said
# since; without it, it goes on from the end.
_MARK = "last-prompt"

_lines = Table(
    "transcripts",
    MetaData(),
    Column("line", Integer, primary_key=True),
    *(Column(name, Text) for name in ("project_key", "session_id", "subpath", "uuid", "entry")),
    Column("written_ms", BigInteger),
)


class TranscriptStore(SessionStore):
    """One object for each process that continues a session; `append` returns once the lines are durable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._call_ids: set[str] = set()
        self._changed = asyncio.Condition()
        self._frozen = False

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        if entries and not self._frozen:
            await self._database.write(_append, key, entries)
            await self._note_calls(entries)

    def freeze(self) -> None:
        """Store nothing more."""
        self._frozen = True

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        entries = await self._database.read(_load, key)
        await self._note_calls(entries)
        return entries or None

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        return await self._database.read(_sessions, project_key)

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        return await self._database.read(_subkeys, key)

    async def delete(self, key: SessionKey) -> None:
        await self._database.write(_delete, key)

    async def wait_until_recorded(self, call_id: str) -> bool:
        """Whether a call is in the transcript; waits for it."""
        try:
            async with asyncio.timeout(_RECORD_S), self._changed:
                await self._changed.wait_for(lambda: call_id in self._call_ids)
        except TimeoutError:
            return False
        return True

    async def _note_calls(self, entries: Sequence[SessionStoreEntry]) -> None:
        for entry in entries:
            line: Any = entry  # its shape is the CLI's own
            if line["type"] == "assistant":
                self._call_ids |= {block["id"] for block in line["message"]["content"] if block["type"] == "tool_use"}
        async with self._changed:
            self._changed.notify_all()


def _which(key: SessionKey) -> ColumnElement[bool]:
    return and_(_session(key), _lines.c.subpath == key.get("subpath", ""))


def _session(key: SessionKey | SessionListSubkeysKey) -> ColumnElement[bool]:
    return and_(_lines.c.project_key == key["project_key"], _lines.c.session_id == key["session_id"])


def _append(connection: Connection, key: SessionKey, entries: Sequence[SessionStoreEntry]) -> None:
    """A line that is there already, known by its uuid, is not repeated."""
    uuids = [entry["uuid"] for entry in entries if "uuid" in entry]
    known = set(connection.scalars(select(_lines.c.uuid).where(_which(key), _lines.c.uuid.in_(uuids))))
    place = {"project_key": key["project_key"], "session_id": key["session_id"], "subpath": key.get("subpath", "")}
    now_ms = int(time.time() * 1000)
    for entry in entries:
        if (uuid := entry.get("uuid")) is None or uuid not in known:
            if uuid:
                known.add(uuid)
            line = {**place, "uuid": uuid, "entry": json.dumps(entry), "written_ms": now_ms}
            connection.execute(insert(_lines).values(line))


def _load(connection: Connection, key: SessionKey) -> list[SessionStoreEntry]:
    rows = connection.scalars(select(_lines.c.entry).where(_which(key)).order_by(_lines.c.line))
    return [entry for row in rows if (entry := json.loads(row))["type"] != _MARK]


def _sessions(connection: Connection, project_key: str) -> list[SessionStoreListEntry]:
    newest = func.max(_lines.c.written_ms)
    query = select(_lines.c.session_id, newest).where(_lines.c.project_key == project_key, _lines.c.subpath == "")
    rows = connection.execute(query.group_by(_lines.c.session_id))
    return [{"session_id": session_id, "mtime": mtime} for session_id, mtime in rows]


def _subkeys(connection: Connection, key: SessionListSubkeysKey) -> list[str]:
    query = select(_lines.c.subpath).distinct().where(_session(key), _lines.c.subpath != "")
    return list(connection.scalars(query))


def _delete(connection: Connection, key: SessionKey) -> None:
    connection.execute(delete(_lines).where(_which(key) if key.get("subpath") else _session(key)))

"""A server that runs for the suite: over HTTP in this process, with issuers of tokens, its state and its records."""

import itertools
import os
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from fastmcp import Client, FastMCP
from fastmcp.client import FastMCPTransport
from sqlalchemy import Connection, MetaData, Table, func, inspect, select

from .. import audit
from ..audit.chain import audit as audit_table
from ..server import guard_of
from ..settings import ServerSettings
from ..storage import Database, Store
from ..storage.records import open_records
from .caller import Caller, insisted
from .connections import Connections
from .process import Line, Processes, Target, on_stdio, processes
from .server import Change, Sample, ServerUnderTest
from .tokens import CLERK, Detail, Issuers, granted
from .wire import Answer

_KIT_TABLES = ("effects", "approvals", "audit", "audit_head")
_APPROVALS = ("request_approval", "get_approval")


class Harness:
    """What the rules try a server with."""

    connections: Connections
    """To the server, once it is served."""

    def __init__(self, server: ServerUnderTest, home: Path, flags: Mapping[str, Any], issuers: Issuers) -> None:
        self.server, self.home, self.flags, self.issuers = server, home, dict(flags), issuers
        self.settings: ServerSettings = server.settings.load(self.flags)
        self.store: Store = server.spec.store(self.settings)
        self.served: FastMCP = server.spec.create_server(self.settings, self.store)
        self.sent: Counter[str] = Counter()
        """Calls by subject; each leaves one record."""
        self.tools: dict[str, dict[str, Any]] = {}
        """The server's own tools as it lists them, without those of approvals."""
        self.resources: list[str] = []
        self.target = Target(server.spec, server.settings, self.flags)
        self._open = AsyncExitStack()
        self._processes: Processes | None = None
        self._numbers, self._samples = itertools.count(1), itertools.count(1)
        self._units: dict[int, int] = {}
        self._reflected: dict[str, Table] = {}

    def number(self) -> int:
        """One that was not used before."""
        return next(self._numbers)

    def fresh(self, sample: Sample) -> dict[str, Any]:
        """Arguments of a call that was not made before, if the sample has such."""
        return sample.nth(next(self._samples))

    def worker(
        self,
        *details: Detail | str,
        subject: str = CLERK,
        run: str | None = None,
        scope: Mapping[str, str] | None = None,
    ) -> Caller:
        """A worker with these grants, in a run of its own and within the samples' scope unless said otherwise."""
        run = f"run_{self.number()}" if run is None else run
        asked = [granted(detail) if isinstance(detail, str) else detail for detail in details]
        scope = self.server.scope if scope is None else scope
        token = self.issuers.worker(asked, subject=subject, run=run, scope=scope)
        return Caller(self.connections, self.sent, token, subject)

    def clerk(self, sample: Sample, *, waits: bool = False, **claims: Any) -> Caller:
        """A worker who may make the sample's call, which waits for an approval if `waits`, and ask for that."""
        detail = granted(sample.tool, approval="required" if waits else "")
        return self.worker(detail, *_APPROVALS, **claims)

    def approver(self, name: str = "ada") -> Caller:
        return Caller(self.connections, self.sent, self.issuers.approver(name), name)

    async def approve(self, answer: Answer, decision: str = "approve") -> None:
        """Decide what a call was told to wait for."""
        assert answer.code == "approval_required", f"it does not wait for an approval: {answer.text}"
        decided = await self.decide(answer.data["details"]["approval_id"], decision)
        assert decided.code == "ok", decided.text

    async def decide(self, approval_id: str, decision: str = "approve", name: str = "ada") -> Answer:
        chosen = {"approval_id": approval_id, "decision": decision}
        return await self.approver(name).call("decide_approval", chosen)

    async def perform(self, caller: Caller, sample: Sample, arguments: Mapping[str, Any], use: str) -> Answer:
        """Make a change happen, with the approval that it may need."""
        answer = await insisted(caller, sample.tool, arguments, use)
        if answer.code == "approval_required":
            await self.approve(answer)
            answer = await insisted(caller, sample.tool, arguments, use)
        assert answer.code == "ok", f"{sample.tool} {arguments}: the sample does not work: {answer.text}"
        return answer

    async def unit(self, sample: Change) -> int:
        """By how much one effect of this sample changes the count."""
        if id(sample) not in self._units:
            before = await self.count()
            await self.perform(self.clerk(sample), sample, self.fresh(sample), f"unit_{self.number()}")
            self._units[id(sample)] = await self.count() - before
            assert self._units[id(sample)], f"an effect of {sample.tool} cannot be counted: give `count`"
        return self._units[id(sample)]

    async def state(self) -> object:
        """Everything that a call could change."""
        if self.server.state is not None:
            return await self.server.state(self.store)
        return await self._tables()

    async def count(self) -> int:
        """How often the samples' effects happened, in units."""
        if self.server.count is not None:
            return await self.server.count(self.store)
        return sum(len(rows) for rows in (await self._tables()).values())

    async def _tables(self) -> dict[str, list[str]]:
        database = self.store.database
        if database is None:
            assert not self.server.changes, "a store without a database: give `state` and `count`"
            return {}
        return await database.read(self._contents)

    def _contents(self, connection: Connection) -> dict[str, list[str]]:
        """Every row of every table that is not the kit's, by table."""
        names = [name for name in inspect(connection).get_table_names() if name not in _KIT_TABLES]
        names = [name for name in names if not name.endswith("_version")]
        if names != list(self._reflected):  # which takes far longer than to read the rows of a small store
            tables = MetaData()
            tables.reflect(connection, only=names)
            self._reflected = {name: tables.tables[name] for name in names}
        rows = {name: connection.execute(select(table)) for name, table in self._reflected.items()}
        return {name: sorted(repr(tuple(row)) for row in found) for name, found in rows.items()}

    async def processes(self) -> Processes:
        """What starts processes of the server, such as are killed in the middle of a call."""
        if self._processes is None:
            self._processes = await self._open.enter_async_context(processes(self.target))
        return self._processes

    @asynccontextmanager
    async def on_stdio(self, mandate: str, era: str) -> AsyncGenerator[Line]:
        """A function that sends a line to a process that serves this mandate, and returns the line that it answers."""
        forking = (await self.processes()).on_stdio(mandate, era) if hasattr(os, "fork") else None
        async with forking or on_stdio(self.target, mandate, era) as line:
            yield line

    async def close(self) -> None:
        await self._open.aclose()
        await self.connections.close()

    @asynccontextmanager
    async def unchanged(self) -> AsyncGenerator[None]:
        """Nothing that happens in the block may have an effect."""
        before = await self.state()
        yield
        assert await self.state() == before, "a call that must have no effect had one"

    @asynccontextmanager
    async def records(self) -> AsyncGenerator[Database]:
        """The database of the audit, everything so far in it."""
        await guard_of(self.served).trail.committer.flush()
        async with open_records(self.settings, self.store) as database:
            yield database

    async def recorded(self) -> Counter[str]:
        """How many records each subject has."""
        async with self.records() as database:
            return Counter(await database.read(_recorded))

    async def verify(self) -> None:
        """The audit's chain holds."""
        async with self.records() as database:
            verdict = await database.read(audit.verify)
        assert verdict.ok, f"the audit's chain is broken: {verdict.problems}"

    @asynccontextmanager
    async def beside(self, home: Path | None = None, **flags: object) -> AsyncGenerator[Client[FastMCPTransport]]:
        """A client, in memory, of another server with other settings, over the same store unless at another home."""
        given = self.flags if home is None else {**self.server.given(home), "home": home}
        settings = self.server.settings.load({**given, **flags})
        served = self.server.spec.create_server(settings, self.server.spec.store(settings))
        async with Client(served) as client:
            yield client


def _recorded(connection: Connection) -> dict[str, int]:
    by_subject = select(audit_table.c.subject, func.sum(audit_table.c.count)).group_by(audit_table.c.subject)
    return {subject: int(count) for subject, count in connection.execute(by_subject)}

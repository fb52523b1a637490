"""A server that runs for the suite: over HTTP in this process, with issuers of tokens, its state and its records."""

import asyncio
import itertools
import logging
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
from fastmcp import Client, FastMCP
from fastmcp.client import FastMCPTransport
from sqlalchemy import Connection, MetaData, func, select

from .. import audit
from ..audit.chain import audit as audit_table
from ..http.serving import serve_http
from ..server import guard_of
from ..settings import ServerSettings
from ..storage import Database, Store
from ..storage.records import open_records
from .process import Run, Target, victims
from .server import Change, Sample, ServerUnderTest
from .tokens import CLERK, Detail, Issuers, granted
from .wire import META, MODERN, Answer, encoded, exchange, headers, listing, post, request

STARTS_S = 30
SETTLES_S = 20
_KIT_TABLES = ("effects", "approvals", "audit", "audit_head")
_APPROVALS = ("request_approval", "get_approval")


class Caller:
    """Whoever holds a token, as the server's callers over HTTP do."""

    def __init__(self, harness: "Harness", token: str, subject: str) -> None:
        self.token, self.subject = token, subject
        self._harness = harness

    async def call(
        self, tool: str, arguments: object, *, use: str = "", era: str = MODERN, method: str = "tools/call"
    ) -> Answer:
        """Call once; `use` is how Claude Code would name the call, which makes it a key."""
        meta = {**META, **({"claudecode/toolUseId": use} if use else {})}
        content = encoded(request(tool, arguments, method=method, _meta=meta))
        return await self.send(content, headers(era, tool, method, token=self.token))

    async def send(self, content: bytes, said: dict[str, bytes]) -> Answer:
        """Send a call as these bytes."""
        self._harness.sent[self.subject] += 1
        return await post(self._harness.http, self._harness.url, content, said)

    async def exchange(self, content: bytes, said: dict[str, bytes]) -> bytes:
        """Send a call as these bytes, for all the bytes of the answer."""
        self._harness.sent[self.subject] += 1
        return await exchange(self._harness.url, content, said)

    async def listed(self, method: str = "tools/list", era: str = MODERN) -> list[dict[str, Any]]:
        """Everything in a list, all its pages."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        kind = {"tools/list": "tools", "resources/list": "resources", "prompts/list": "prompts"}.get(method, "")
        kind = kind or "resourceTemplates"
        while True:
            content = encoded(listing(method, cursor))
            said = headers(era, method=method, token=self.token)
            answer = await post(self._harness.http, self._harness.url, content, said)
            items += answer.result[kind]
            if (cursor := answer.result.get("nextCursor")) is None:
                return items


async def insisted(caller: Caller, tool: str, arguments: Mapping[str, Any], use: str = "") -> Answer:
    """The answer to a call that is made again while it is refused as `retryable`, as a killed effect is settled."""
    async with asyncio.timeout(SETTLES_S):
        answer = await caller.call(tool, arguments, use=use)
        while answer.data.get("retryable") is True:
            await asyncio.sleep(0.05)
            answer = await caller.call(tool, arguments, use=use)
    return answer


class Harness:
    """What the rules try a server with."""

    def __init__(
        self, server: ServerUnderTest, home: Path, flags: Mapping[str, Any], issuers: Issuers, http: httpx2.AsyncClient
    ) -> None:
        self.server, self.home, self.flags, self.issuers, self.http = server, home, dict(flags), issuers, http
        self.settings: ServerSettings = server.settings.load(self.flags)
        self.store: Store = server.spec.store(self.settings)
        self.served: FastMCP = server.spec.create_server(self.settings, self.store)
        self.url = ""
        self.sent: Counter[str] = Counter()
        """Calls by subject; each leaves one record."""
        self.tools: dict[str, dict[str, Any]] = {}
        """The server's own tools as it lists them, without those of approvals."""
        self.resources: list[str] = []
        self.target = Target(server.spec, server.settings, self.flags)
        self._open = AsyncExitStack()
        self._victims: Run | None = None
        self._numbers = itertools.count(1)
        self._units: dict[int, int] = {}

    def number(self) -> int:
        """One that was not used before."""
        return next(self._numbers)

    def fresh(self, sample: Sample) -> dict[str, Any]:
        """Arguments of a call that was not made before, if the sample has such."""
        return sample.nth(self.number())

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
        return Caller(self, self.issuers.worker(asked, subject=subject, run=run, scope=scope), subject)

    def clerk(self, sample: Sample, *, waits: bool = False, **claims: Any) -> Caller:
        """A worker who may make the sample's call, which waits for an approval if `waits`, and ask for that."""
        detail = granted(sample.tool, approval="required" if waits else "")
        return self.worker(detail, *_APPROVALS, **claims)

    def approver(self, name: str = "ada") -> Caller:
        return Caller(self, self.issuers.approver(name), name)

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
        return await database.read(_contents)

    async def victims(self) -> Run:
        """A function that makes a call in a process that is killed in the middle of it."""
        if self._victims is None:
            self._victims = await self._open.enter_async_context(victims(self.target))
        return self._victims

    async def close(self) -> None:
        await self._open.aclose()
        await self.http.aclose()

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


@asynccontextmanager
async def running(server: ServerUnderTest, home: Path, database_url: str | None = None) -> AsyncGenerator[Harness]:
    """The server, prepared, while the block lasts."""
    issuers = Issuers(home, server.settings.server)
    flags = {**server.given(home), "home": home, **issuers.settings, "calls_per_second": 1e6}
    if database_url is not None:
        flags["database_url"] = database_url
    async with httpx2.AsyncClient(timeout=60) as http:
        harness = Harness(server, home, flags, issuers, http)
        async with _serving(harness):
            if server.prepare is not None:
                await server.prepare(harness.store)
            async with harness.beside(mandate=None) as owner:
                own = await owner.list_tools()
                harness.tools = {tool.name: tool.model_dump(by_alias=True) for tool in own}
                harness.resources = [str(resource.uri) for resource in await owner.list_resources()]
            try:
                yield harness
            finally:
                await harness.close()


@asynccontextmanager
async def _serving(harness: Harness) -> AsyncGenerator[None]:
    """Serve until the end of what it takes for its standard input."""
    reading, writing = os.pipe()
    with _listening() as address, _standard_input(reading):
        serving = asyncio.create_task(
            serve_http(harness.served, harness.store, harness.settings, "127.0.0.1", 0, exit_with_stdin=True)
        )
        async with asyncio.timeout(STARTS_S):
            await asyncio.wait([serving, address], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            os.close(writing)
            serving.result()
        harness.url = address.result()
    try:
        yield
    finally:
        os.close(writing)
        await serving


@contextmanager
def _standard_input(descriptor: int) -> Generator[None]:
    before, sys.stdin = sys.stdin, os.fdopen(descriptor)
    try:
        yield
    finally:
        sys.stdin = before


@contextmanager
def _listening() -> Generator[asyncio.Future[str]]:
    """The address that the server's log says it listens at."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "listening" and not address.done():
                address.set_result(record.__dict__["url"])

    logger, handler = logging.getLogger("flotilla_kit"), Listening()
    level = logger.level
    logging.getLogger("fastmcp").setLevel(logging.CRITICAL)  # it draws a box around every refusal
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield address
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        with suppress(asyncio.InvalidStateError):
            address.cancel()


def _contents(connection: Connection) -> dict[str, list[str]]:
    """Every row of every table that is not the kit's, by table."""
    tables = MetaData()
    tables.reflect(connection)
    own = [table for table in tables.sorted_tables if table.name not in _KIT_TABLES]
    own = [table for table in own if not table.name.endswith("_version")]
    return {table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table))) for table in own}


def _recorded(connection: Connection) -> dict[str, int]:
    by_subject = select(audit_table.c.subject, func.sum(audit_table.c.count)).group_by(audit_table.c.subject)
    return {subject: int(count) for subject, count in connection.execute(by_subject)}


def shown(tools: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Listed tools by name."""
    return {tool["name"]: tool for tool in tools}

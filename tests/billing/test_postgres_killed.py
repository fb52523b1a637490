"""PostgreSQL killed at named moments of a call of billing, and started again: the call is answered all the same."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_billing.server import create_server
from flotilla_billing.settings import Settings
from flotilla_kit import audit
from flotilla_kit.effects import faults
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from sqlalchemy import Engine, event
from support.answers import answer_of
from support.postgres import Cluster
from support.postgres_kills import Fate, KilledOnce, add_hold, restart_once_held, start_holding

MCP = Client[FastMCPTransport]
REFUND = {"transaction_id": "ch_maya_feb_2", "amount_minor": 4900, "currency": "USD", "reason": "charged twice"}
KEYED = {**REFUND, "idempotency_key": "case-1"}
READS = [
    ("get_transaction", {"transaction_id": "ch_maya_feb_2"}),
    ("find_duplicate_charges", {"customer_id": "cust_12345"}),
    ("get_customer_billing", {"customer_id": "cust_12345"}),
]


@asynccontextmanager
async def billing(url: str, home: Path) -> AsyncGenerator[MCP]:
    async with Client(create_server(Settings.load({"home": home, "demo_data": True, "database_url": url}))) as client:
        yield client


async def call(client: MCP, tool: str, **arguments: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool(tool, arguments, raise_on_error=False))


def asked(url: str, statement: str) -> Any:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
        assert row
        return row[0]


async def happened_once(url: str, *outcomes: str) -> None:
    """One refund, paid out once, and one record for each call, in a chain that holds; the server has ended."""
    assert asked(url, "SELECT count(*) FROM refunds WHERE status = 'succeeded'") == 1
    assert asked(url, "SELECT count(*) FROM refunds") == 1
    assert asked(url, "SELECT refunded_minor FROM transactions WHERE transaction_id = 'ch_maya_feb_2'") == 4900
    assert asked(url, "SELECT reserved_minor FROM transactions WHERE transaction_id = 'ch_maya_feb_2'") == 0
    recorded = asked(url, "SELECT string_agg(outcome, ' ' ORDER BY outcome) FROM audit WHERE tool = 'issue_refund'")
    assert recorded.split() == [*outcomes]
    database = await Database.open(url, [KIT_MIGRATIONS])
    assert (await database.read(audit.verify)).ok
    await database.close()


@contextmanager
def beside_each_statement(when: str, kill: KilledOnce) -> Generator[None]:
    def listener(*_: object) -> None:
        kill()

    event.listen(Engine, when, listener)
    yield
    event.remove(Engine, when, listener)


@pytest.mark.parametrize(("tool", "arguments"), READS)
@pytest.mark.parametrize("when", ["before_cursor_execute", "after_cursor_execute"])
async def test_a_read_is_answered_though_postgresql_is_killed_under_it(
    doomed_cluster: Cluster, doomed_url: str, tmp_path: Path, tool: str, arguments: dict[str, Any], when: str
) -> None:
    async with billing(doomed_url, tmp_path) as client:
        before, kill = await call(client, tool, **arguments), KilledOnce(doomed_cluster)
        with beside_each_statement(when, kill):
            assert await call(client, tool, **arguments) == before
        assert kill.calls > 1


@pytest.mark.parametrize(
    "place",
    [
        *("before_reserve", "consuming", "reserving", "after_reserve"),
        *("before_send", "after_send", "settling", "after_settle"),
    ],
)
async def test_a_refund_happens_once_and_is_answered_though_postgresql_is_killed_at(
    doomed_cluster: Cluster, doomed_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    kill = KilledOnce(doomed_cluster)

    def hook(name: str) -> None:
        if name == place:
            kill()

    monkeypatch.setattr(faults, "hook", hook)
    async with billing(doomed_url, tmp_path) as client:
        issued = await call(client, "issue_refund", **KEYED)
    assert issued["status"] == "succeeded", issued
    assert kill.calls > 0
    await happened_once(doomed_url, "ok")


@pytest.mark.parametrize("state", ["reserved", "performing", "done"])
@pytest.mark.parametrize("fate", ["rolled back", "committed"])
async def test_a_refund_happens_once_and_is_answered_though_postgresql_is_killed_at_a_commit(
    doomed_cluster: Cluster, doomed_url: str, tmp_path: Path, state: str, fate: Fate
) -> None:
    start_holding(doomed_cluster, state, fate)
    async with billing(doomed_url, tmp_path) as client:
        add_hold(doomed_url, "external_effects")
        started = restart_once_held(doomed_cluster)
        issued = await call(client, "issue_refund", **KEYED)
        await asyncio.wrap_future(started)
    assert issued["status"] == "succeeded", issued
    await happened_once(doomed_url, "ok")


@pytest.mark.parametrize("fate", ["rolled back", "committed"])
async def test_a_caller_who_cannot_be_told_what_became_of_a_refund_is_told_how_to_find_out(
    doomed_cluster: Cluster, doomed_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fate: Fate
) -> None:
    """As when PostgreSQL stays away for longer than a call waits for it."""
    monkeypatch.setattr(Database, "open", staticmethod(partial(Database.open, restart_s=0)))
    start_holding(doomed_cluster, "reserved", fate)
    async with billing(doomed_url, tmp_path) as client:
        add_hold(doomed_url, "external_effects")
        started = restart_once_held(doomed_cluster)
        meta = {"claudecode/toolUseId": "toolu_1"}
        told = answer_of(await client.call_tool("issue_refund", REFUND, meta=meta, raise_on_error=False))
        assert told["code"] == "outcome_unknown" and told["retryable"]
        await asyncio.wrap_future(started)
        again = await call(client, "issue_refund", **REFUND, **told["details"])
        assert again["status"] == "succeeded", again
    await happened_once(doomed_url, "ok", "ok" if fate == "committed" else "outcome_unknown")


async def test_a_call_that_another_overtook_with_its_key_while_its_connection_was_lost_has_a_record_of_its_own(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def other() -> dict[str, Any]:
        async with billing(postgres_url, tmp_path) as client:
            return await call(client, "issue_refund", **KEYED)

    def overtake(name: str) -> None:
        if name != "reserving":
            return
        monkeypatch.undo()
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            connection.execute(others.encode())
        answers.append(ThreadPoolExecutor().submit(lambda: asyncio.run(other())).result())

    answers = list[dict[str, Any]]()
    monkeypatch.setattr(faults, "hook", overtake)
    async with billing(postgres_url, tmp_path) as client:
        answers.append(await call(client, "issue_refund", **KEYED))
    assert [one["status"] for one in answers] == ["succeeded"] * 2
    await happened_once(postgres_url, "ok", "ok")

"""A gateway that is slow, fails after committing, or dies: the outcome is unknown, then found out, and happens once."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from flotilla_billing import books, refunding
from flotilla_billing.models import Scope
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from support.gateway import GatewayProcess, HttpGateway, gateway_process
from support.refund_worker import Job

CHARGE = "ch_maya_feb_2"


@pytest.fixture
def gateway(tmp_path: Path) -> Generator[GatewayProcess]:
    with gateway_process(tmp_path) as running:
        yield running


@pytest.fixture
async def store(tmp_path: Path, gateway: GatewayProcess) -> AsyncGenerator[SqlBillingStore]:
    opened = SqlBillingStore(Settings.load({"home": tmp_path, "demo_data": True}), HttpGateway(gateway.url))
    await opened.open()
    yield opened
    await opened.close()


def job(tmp_path: Path, gateway: GatewayProcess) -> Job:
    return Job(str(tmp_path), f"sqlite:///{tmp_path / 'billing.db'}", gateway.url, "key", CHARGE)


async def settled(store: SqlBillingStore) -> None:
    async with asyncio.timeout(20):
        while await store.database.read(refunding.pending):  # noqa: ASYNC110  another process may settle it
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("how", ["slow", "fail_after", "fail_before"])
async def test_an_unknown_outcome_is_pending_then_settles_once(
    store: SqlBillingStore, gateway: GatewayProcess, tmp_path: Path, how: str
) -> None:
    gateway.misbehave(how)
    first = await job(tmp_path, gateway).issue(store)
    assert first.status == "pending"
    assert (await store.get_transaction(Scope(), CHARGE)).reserved_minor == 100
    await settled(store)
    assert (await store.get_refund(Scope(), first.refund_id)).status == "succeeded"
    assert len(gateway.effects()) == 1
    assert await store.database.read(books.check) == []


async def test_repeating_while_unknown_finds_out_and_never_pays_twice(
    store: SqlBillingStore, gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway.misbehave("fail_after", times=2)
    answers = [await job(tmp_path, gateway).issue(store) for _ in range(3)]
    assert [answer.status for answer in answers] == ["pending", "pending", "succeeded"]
    assert len({answer.refund_id for answer in answers}) == 1
    assert len(gateway.effects()) == 1


async def test_a_decline_frees_what_was_reserved(
    store: SqlBillingStore, gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway.misbehave("decline")
    answer = await job(tmp_path, gateway).issue(store)
    assert (answer.status, answer.decline_reason) == ("declined", "card closed")
    charge = await store.get_transaction(Scope(), CHARGE)
    assert (charge.reserved_minor, charge.refunded_minor) == (0, 0)
    assert gateway.effects() == []


async def test_a_gateway_that_dies_and_returns_is_asked_again(
    store: SqlBillingStore, gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway.process.kill()
    gateway.process.wait()
    answer = await job(tmp_path, gateway).issue(store)
    assert answer.status == "pending"
    with gateway_process(tmp_path, int(gateway.url.rpartition(":")[2])) as returned:
        await settled(store)
        assert len(returned.effects()) == 1

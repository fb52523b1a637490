"""A gateway that is slow, fails after committing, or dies: the outcome is unknown, then found out, and happens once."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flotilla_billing import books, refunding
from flotilla_billing.gateway import GatewayRefund, GatewayRequest, LedgerGateway
from flotilla_billing.models import Scope
from flotilla_billing.refunding import RefundInProgress
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from flotilla_kit.effects import Effect, digest, external_effects
from sqlalchemy import update
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


async def test_a_refund_older_than_the_gateways_keys_is_looked_up_before_it_is_sent(
    store: SqlBillingStore, gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway.misbehave("fail_after")
    gateway.misbehave("fail_before", times=1000)  # until told otherwise: nobody settles it early
    first = await job(tmp_path, gateway).issue(store)
    long_ago = (refunding.now() - timedelta(days=2)).isoformat()
    await store.database.write(
        lambda connection: connection.execute(update(external_effects).values(created_at=long_ago))
    )
    gateway.forget_keys()
    gateway.misbehave("", times=0)
    await settled(store)
    assert (await store.get_refund(Scope(), first.refund_id)).status == "succeeded"
    assert len(gateway.effects()) == 1


async def test_a_fault_in_the_adapter_is_an_unknown_outcome_too(tmp_path: Path) -> None:
    class Faulty(LedgerGateway):
        calls = 0

        async def refund(self, request: GatewayRequest) -> GatewayRefund:
            self.calls += 1
            if self.calls == 1:
                raise KeyError("id")
            return await super().refund(request)

    store = SqlBillingStore(Settings.load({"home": tmp_path, "demo_data": True}), Faulty())
    await store.open()
    try:
        effect = Effect("owner", "", "issue_refund", "one", digest({}))
        assert (await store.issue_refund(Scope(), effect, CHARGE, 100, "USD", "x")).status == "pending"
        assert (await store.issue_refund(Scope(), effect, CHARGE, 100, "USD", "x")).status == "succeeded"
        assert await store.database.read(books.check) == []
    finally:
        await store.close()


async def test_the_same_amount_again_under_another_key_waits_for_the_unsettled_one(
    store: SqlBillingStore, gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway.misbehave("fail_after", times=1000)
    first = await job(tmp_path, gateway).issue(store)
    with pytest.raises(RefundInProgress) as refused:
        await replace(job(tmp_path, gateway), key="another").issue(store)
    assert refused.value.details == {"refund_id": first.refund_id}
    gateway.misbehave("", times=0)
    await settled(store)
    assert (await replace(job(tmp_path, gateway), key="another").issue(store)).status == "succeeded"
    assert len(gateway.effects()) == 2


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

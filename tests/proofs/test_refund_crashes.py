"""`kill -9` at every named place of a refund: the books balance and nothing happens twice, on both databases."""

import asyncio
import signal
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from flotilla_billing import books, refunding
from flotilla_billing.models import Scope
from flotilla_billing.settings import Settings
from flotilla_billing.sql_store import SqlBillingStore
from support import programs
from support.gateway import GatewayProcess, gateway_process
from support.processes import clean_environment
from support.proofs import draw, share
from support.refund_worker import SITES, Job

CHARGES = ("ch_maya_feb_1", "ch_maya_feb_2", "ch_kenji_jan_2")
RECOVERY_S = 20  # a generous bound for a loaded machine, not a measurement


@pytest.fixture
def gateway(tmp_path: Path) -> Generator[GatewayProcess]:
    with gateway_process(tmp_path) as running:
        yield running


async def prepare(home: Path, database_url: str) -> None:
    store = SqlBillingStore(Settings.load({"home": home, "database_url": database_url, "demo_data": True}))
    await store.open()
    await store.close()


async def kill_in_the_middle(job: Job) -> None:
    """Run the job in a process; the kill must have hit before it was done, or it does not count."""
    home = Path(job.home)
    process = programs.start("support.refund_worker", job.as_json(), environ=clean_environment(home), folder=home)
    try:
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    finally:
        process.close()


async def recover(job: Job, *, by_repeating: bool) -> None:
    """A new process's store settles what is left; sometimes the caller, who heard nothing, repeats the call first."""
    store = job.store()
    await store.open()
    try:
        if by_repeating:
            await job.issue(store)
        async with asyncio.timeout(RECOVERY_S):
            while await store.database.read(refunding.pending):  # noqa: ASYNC110  another process may settle it
                await asyncio.sleep(0.02)
    finally:
        await store.close()


async def refunded(job: Job) -> int:
    store = job.store()
    await store.open()
    try:
        assert await store.database.read(books.check) == []
        return (await store.get_transaction(Scope(), job.transaction_id)).refunded_minor
    finally:
        await store.close()


@pytest.mark.prove
async def test_a_killed_refund_happens_once_after_all(
    database_url: str, tmp_path: Path, gateway: GatewayProcess
) -> None:
    random = draw(f"refund crashes {database_url.split(':')[0]}")
    await prepare(tmp_path, database_url)
    hits = Counter({site: share(10) for site in SITES})
    rounds = sorted(hits.elements(), key=lambda _: random.random())
    for number, site in enumerate(rounds, start=1):
        job = Job(str(tmp_path), database_url, gateway.url, f"key-{number}", CHARGES[0], site=site)
        await kill_in_the_middle(job)
        nothing_yet = site in ("before_reserve", "reserving")
        by_repeating = nothing_yet or random.random() < 0.5
        await recover(job, by_repeating=by_repeating)
        if random.random() < 0.5:  # a late repeat, after recovery, changes nothing either
            await recover(job, by_repeating=True)
        effects = gateway.effects()
        assert len(effects) == len({key for key, _, _ in effects}) == number, (site, number)
        assert await refunded(job) == 100 * number, site


@pytest.mark.prove
async def test_the_naive_control_doubles_in_the_same_harness(tmp_path: Path, gateway: GatewayProcess) -> None:
    """With a fresh gateway key for each attempt the same kills must pay twice, or this harness finds nothing."""
    database_url = f"sqlite:///{tmp_path / 'billing.db'}"
    await prepare(tmp_path, database_url)
    rounds = share(20)
    for number in range(rounds):
        job = Job(str(tmp_path), database_url, gateway.url, f"key-{number}", CHARGES[0], naive=True, site="after_send")
        await kill_in_the_middle(job)
        await recover(job, by_repeating=False)
    assert len(gateway.effects()) > rounds

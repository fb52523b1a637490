"""The light switch of docs/kit.md, killed between approval and settlement against a device that does not deduplicate.

No change twice, none lost, and what nobody knows is found out: on SQLite, where a new process takes over, and on
PostgreSQL, where another replica stays up.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_kit import audit
from flotilla_kit.effects import external_effects
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from sqlalchemy import Connection, select
from support.approving import approve_all
from support.device import DeviceProcess, device_process
from support.proofs import FULL, draw, share
from support.switch_worker import SITES, Caller, Workers, victims

KILLS = 100  # on each database
TOGETHER = 10  # killed before anybody looks
TRIES = 5  # on a busy machine a call may give up on the device before it comes to where it should be killed
RECOVERY_S = 60  # a generous bound for a loaded machine, not a measurement


@pytest.fixture
def device(tmp_path: Path) -> Generator[DeviceProcess]:
    with device_process(tmp_path) as running:
        yield running


@pytest.fixture
def victim() -> Generator[Callable[[Caller], int]]:
    with victims() as run:
        yield run


class House:
    """A database, a device, and the workers' runs."""

    def __init__(self, home: Path, database_url: str, device: DeviceProcess, *, naive: bool = False) -> None:
        self._where = (str(home), database_url, device.url)
        self._workers, self._naive = Workers(home), naive
        self._runs = 0

    async def approved(self, site: str = "") -> Caller:
        """A worker of a new run whose call was asked for and approved."""
        self._runs += 1
        token = self._workers.token(f"run_{self._runs}")
        caller = Caller(*self._where, token, f"key_{self._runs}", site, self._naive)
        assert (await caller.call_alone())["code"] == "approval_required"
        assert await approve_all(caller.settings) == 1
        return caller

    async def killed(self, victim: Callable[[Caller], int], sites: Sequence[str]) -> list[Caller]:
        """Callers of whom one was killed at each of the sites; those who lived made their call too."""
        left, callers = list(sites), list[Caller]()
        for _ in range(TRIES):
            tried = [await self.approved(site) for site in left]
            callers += tried
            # The later ones meet, and take up, what the earlier ones left.
            ends = [await asyncio.to_thread(victim, caller) for caller in tried]
            assert set(ends) <= {0, -signal.SIGKILL}, ends
            left = [caller.site for caller, end in zip(tried, ends, strict=True) if end == 0]
            if not left:
                return callers
        raise AssertionError(f"nobody could be killed at {left}")

    @asynccontextmanager
    async def database(self) -> AsyncGenerator[Database]:
        opened = await Database.open(self._where[1], [KIT_MIGRATIONS])
        try:
            yield opened
        finally:
            await opened.close()

    async def settled(self) -> dict[str, str]:
        """Once everything that was reserved is settled: its ids and states."""
        async with self.database() as database, asyncio.timeout(RECOVERY_S):
            while True:
                states = await database.read(_states)
                if set(states.values()) <= {"done", "failed"}:
                    return states
                await asyncio.sleep(0.05)


def _states(connection: Connection) -> dict[str, str]:
    query = select(external_effects.c.effect_id, external_effects.c.state)
    return {row.effect_id: row.state for row in connection.execute(query)}


async def once_known(caller: Caller, client: Client[FastMCPTransport]) -> dict[str, Any]:
    """What the call answers when it stops answering that nobody knows; it says how to ask."""
    async with asyncio.timeout(RECOVERY_S):
        while (answer := await caller.call(client)).get("code") == "outcome_unknown":
            assert answer["retryable"] and answer["details"]["idempotency_key"] == caller.key
            await asyncio.sleep(0.1)
    return answer


@pytest.mark.prove
async def test_a_kill_between_approval_and_settlement_neither_doubles_nor_loses_a_change(
    database_url: str, tmp_path: Path, device: DeviceProcess, victim: Callable[[Caller], int]
) -> None:
    random = draw(f"external crashes {database_url.split(':')[0]}")
    # Without the full run, every other place on the one database and the rest on the other.
    sites = [*SITES][database_url.startswith("postgresql") :: 2]
    if FULL:
        sites = list(islice(cycle(SITES), KILLS))
    random.shuffle(sites)
    house = House(tmp_path, database_url, device)
    made = 0
    async with AsyncExitStack() as replica:
        if database_url.startswith("postgresql"):
            await replica.enter_async_context(Client((await house.approved()).server()))
        for start in range(0, len(sites), TOGETHER):
            callers = await house.killed(victim, sites[start : start + TOGETHER])
            async with Client(callers[0].server()):
                states = await house.settled()
            changed = [reference for reference, _ in device.changes()]
            assert sorted(changed) == sorted(states) and set(states.values()) <= {"done"}
            for caller in callers:  # who heard nothing asks again
                async with Client(caller.server()) as client:
                    assert await once_known(caller, client) == {"on": True}, caller.site
                    assert await caller.call(client) == {"on": True}
                    assert (await caller.call(client, key="anew"))["code"] == "approval_used"
            made += len(callers)
            changed = [reference for reference, _ in device.changes()]
            assert len(changed) == len(set(changed)) == made
    async with house.database() as database:
        verdict = await database.read(audit.verify)
        assert verdict.ok, verdict.problems


@pytest.mark.prove
async def test_the_naive_control_doubles_in_the_same_harness(
    tmp_path: Path, device: DeviceProcess, victim: Callable[[Caller], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An author who claims that the device deduplicates: the same kills must double, or this harness finds nothing."""
    monkeypatch.setattr("light_switch.Device.keys_kept", None)
    house = House(tmp_path, f"sqlite:///{tmp_path / 'light.db'}", device, naive=True)
    callers = await house.killed(victim, ["after_send"] * share(20))
    async with Client(callers[0].server()):
        await house.settled()
    assert len(device.changes()) > len(callers)


@pytest.mark.parametrize("how", ["slow", "late", "drop", "fail_after", "fail_before"])
async def test_an_answer_that_never_came_is_unknown_then_found_out(
    tmp_path: Path, device: DeviceProcess, how: str
) -> None:
    house = House(tmp_path, f"sqlite:///{tmp_path / 'light.db'}", device)
    caller = await house.approved()
    device.misbehave(how)
    async with Client(caller.server()) as client:
        assert (await caller.call(client))["code"] == "outcome_unknown"
        assert await once_known(caller, client) == {"on": True}
        assert set((await house.settled()).values()) == {"done"}
    assert len(device.changes()) == 1


async def test_what_nobody_asks_about_again_is_found_out_too(tmp_path: Path, device: DeviceProcess) -> None:
    house = House(tmp_path, f"sqlite:///{tmp_path / 'light.db'}", device)
    caller = await house.approved()
    device.process.kill()
    device.process.wait()
    async with Client(caller.server()) as client:
        assert (await caller.call(client))["code"] == "internal_error"  # the facts could not be read: nothing happened
        with device_process(tmp_path, int(device.url.rpartition(":")[2])) as returned:
            returned.misbehave("drop")
            assert (await caller.call(client))["code"] == "outcome_unknown"
            assert set((await house.settled()).values()) == {"done"}
            assert len(returned.changes()) == 1


async def test_callers_of_two_processes_at_once_make_one_change(
    database_url: str, tmp_path: Path, device: DeviceProcess
) -> None:
    house = House(tmp_path, database_url, device)
    caller = await house.approved()
    async with Client(caller.server()) as one, Client(caller.server()) as other:
        answers = await asyncio.gather(*(caller.call(client) for client in (one, other) * 10))
        assert {answer.get("code", "ok") for answer in answers} <= {"ok", "outcome_unknown"}
        assert await once_known(caller, one) == await once_known(caller, other) == {"on": True}
    assert len(device.changes()) == 1


async def test_an_approval_is_for_these_arguments_and_good_once(tmp_path: Path, device: DeviceProcess) -> None:
    house = House(tmp_path, f"sqlite:///{tmp_path / 'light.db'}", device)
    caller = await house.approved()
    async with Client(caller.server()) as client:
        assert (await caller.call(client, on=False))["code"] == "approval_mismatch"
        assert await once_known(caller, client) == {"on": True}
        assert (await caller.call(client, on=False))["code"] == "idempotency_mismatch"
        assert (await caller.call(client, key="anew"))["code"] == "approval_used"
    other = replace(await house.approved(), key=caller.key)  # another run's key is another key
    async with Client(other.server()) as client:
        assert await once_known(other, client) == {"on": True}
    assert [on for _, on in device.changes()] == [True, True]


async def test_a_refusal_is_definite_recorded_and_what_a_repeat_hears(tmp_path: Path, device: DeviceProcess) -> None:
    house = House(tmp_path, f"sqlite:///{tmp_path / 'light.db'}", device)
    caller = await house.approved()
    device.misbehave("refuse")
    async with Client(caller.server()) as client:
        refused = await once_known(caller, client)
        assert (refused["code"], refused["retryable"]) == ("conflict", False)
        assert await caller.call(client) == refused
    assert await caller.call_alone() == refused
    assert device.changes() == [] and set((await house.settled()).values()) == {"failed"}

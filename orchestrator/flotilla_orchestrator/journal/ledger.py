"""The ledger: what each run and each of its agents may use, and has used, in turns, dollars, tokens, calls and seconds.

It is in the journal's database, so it holds over resumes and for all processes that work on a run. What an agent
reserves is not available to others until it has ended, so parallel agents cannot overdraw the run. An agent can
exceed its dollars by one model call, whose cost is known only afterwards; it never exceeds its turns.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

from flotilla_kit.storage import Database
from sqlalchemy import Boolean, Column, Connection, Float, Integer, MetaData, Table, Text, func, insert, select, update

from ..config.limits import Limits
from ..errors import Failure
from .allowances import Allowance, LedgerEntry, Reservation, Usage
from .journal import RUNS, SPANS, span_id_for

_LEDGER = Table(
    "ledger",
    MetaData(),
    Column("span_id", Text, primary_key=True),
    *(Column(name, Text) for name in ("run_id", "worker")),
    Column("above", Text, key="parent_span_id"),
    *(Column(name, Integer) for name in ("max_turns", "turns", "tool_calls", "input_tokens", "output_tokens")),
    Column("lost_turns", Integer),
    *(Column(name, Float) for name in ("budget_usd", "wall_clock_s", "cost_usd", "lost_usd", "active_s")),
    Column("settled", Boolean),
)
_ALL = select(*(column.label(column.key) for column in _LEDGER.c))  # by the names that `LedgerEntry` has for them


class Ledger:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self, run_id: str, limits: Limits, reservations: Sequence[Reservation]
    ) -> list[Allowance | Failure]:
        """What each may use; together they share evenly what the run has left.

        One that has reserved before has what it had then, however often a run is taken up again. A Failure
        `run_budget_exceeded`: one of the run's limits leaves it nothing.
        """
        return await self._database.write(_reserve, run_id, limits, reservations)

    async def allows(self, run_id: str, own: Limits, sharers: int) -> bool:
        """Whether each of so many sessions that began now would get all turns and dollars of these limits."""
        run, *others = await self.entries(run_id)
        try:
            share = _share(run, others, own, sharers)
        except Failure:
            return False
        return (share.max_turns, share.budget_usd) == (own.max_turns, own.budget_usd)

    async def record_usage(self, span_id: str, used: Usage) -> None:
        """An agent has used so much, in all of its parts."""
        await self._database.write(_record_usage, span_id, used)

    async def record_lost(self, span_id: str, turns: int, usd: float) -> None:
        """So many model calls of the agent died with a process, which may have cost so much."""
        increments = {"lost_turns": _LEDGER.c.lost_turns + turns, "lost_usd": _LEDGER.c.lost_usd + usd}
        await self._database.write(_update, span_id, increments)

    async def settle(self, span_id: str) -> None:
        """An agent has ended; what it did not use is available again."""
        await self._database.write(_update, span_id, {"settled": True})

    async def transfer(self, span_id: str, next_id: str, worker: str, allowance: Allowance) -> None:
        """An agent has ended, and the next attempt at its task begins with what it has left over."""
        await self._database.write(_transfer, span_id, next_id, worker, allowance)

    async def record_time(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """By row: this process has counted so many seconds at work; returns what all processes have."""
        return await self._database.write(_record_time, seconds)

    async def entry(self, span_id: str) -> LedgerEntry:
        """The row of an agent that has reserved."""
        return await self._database.read(_entry, span_id)

    async def entries(self, run_id: str) -> list[LedgerEntry]:
        """The run's row, then those of its agents in no order; none for a run from before there was a ledger."""
        return await self._database.read(_entries, run_id)


def seconds_at_work(connection: Connection, run_ids: Collection[str]) -> dict[str, float]:
    """Of each of these runs that has a row: how long processes have been at work on it."""
    query = select(_LEDGER.c.run_id, _LEDGER.c.active_s).where(_LEDGER.c.worker.is_(None))
    return {row.run_id: row.active_s for row in connection.execute(query.where(_LEDGER.c.run_id.in_(run_ids)))}


def _reserve(
    connection: Connection, run_id: str, limits: Limits, reservations: Sequence[Reservation]
) -> list[Allowance | Failure]:
    run = _run_row(connection, run_id, limits)
    known = {entry.span_id: entry for entry in _entries(connection, run_id) if entry.worker}
    found: list[Allowance | Failure] = []
    for done, reservation in enumerate(reservations):
        if reservation.span_id not in known:
            try:
                share = _share(run, list(known.values()), reservation.limits, len(reservations) - done)
            except Failure as failure:
                found.append(failure)
                continue
            entry = LedgerEntry(
                reservation.span_id, run_id, reservation.awaited_by or run.span_id, reservation.worker, **asdict(share)
            )
            connection.execute(insert(_LEDGER).values(asdict(entry)))
            known[reservation.span_id] = entry
        found.append(known[reservation.span_id].allowance)
    return found


def _run_row(connection: Connection, run_id: str, limits: Limits) -> LedgerEntry:
    """The run is locked until the transaction ends, so that no other process reserves the same."""
    connection.execute(select(RUNS.c.run_id).where(RUNS.c.run_id == run_id).with_for_update())
    span_id = span_id_for(run_id)
    if row := connection.execute(_ALL.where(_LEDGER.c.span_id == span_id)).mappings().one_or_none():
        return LedgerEntry(**row)
    assert limits.max_turns and limits.budget_usd and limits.wall_clock_s, "run limits are complete"
    run_entry = LedgerEntry(span_id, run_id, None, None, limits.max_turns, limits.budget_usd, limits.wall_clock_s)
    connection.execute(insert(_LEDGER).values(asdict(run_entry)))
    return run_entry


def _share(run: LedgerEntry, others: Sequence[LedgerEntry], own: Limits, sharers: int) -> Allowance:
    """What a session with these limits of its own may use.

    Args:
        among: how many sessions are about to share what is left, this one included.
    """
    turns = (run.max_turns - sum(other.reserved[0] for other in others)) // sharers
    usd = (run.budget_usd - sum(other.reserved[1] for other in others)) / sharers
    seconds = run.wall_clock_s - run.active_s
    if turns < 1:
        raise _exhausted("turns", f"{run.max_turns} turns")
    if usd <= 0:
        raise _exhausted("dollars", f"${run.budget_usd:g}")
    if seconds <= 0:
        raise _exhausted("time", f"{run.wall_clock_s:g} s")
    return Allowance(
        max_turns=min(own.max_turns or turns, turns),
        budget_usd=min(own.budget_usd or usd, usd),
        wall_clock_s=min(own.wall_clock_s or seconds, seconds),
    )


def _exhausted(what: str, limit: str) -> Failure:
    return Failure(
        "run_budget_exceeded",
        f"The run has no {what} left: {limit} are used or reserved by sessions that are still running.",
        "Finish with what you have, or raise `limits` in the playbook.",
    )


def _record_usage(connection: Connection, span_id: str, used: Usage) -> None:
    calls = select(func.count()).where(SPANS.c.parent_id == span_id, SPANS.c.kind == "tool").scalar_subquery()
    _update(connection, span_id, {**asdict(used), "tool_calls": calls})


def _update(connection: Connection, span_id: str, values: Mapping[str, object]) -> None:
    connection.execute(update(_LEDGER).where(_LEDGER.c.span_id == span_id).values(values))


def _transfer(connection: Connection, span_id: str, next_id: str, worker: str, allowance: Allowance) -> None:
    before = _entry(connection, span_id)
    _update(connection, span_id, {"settled": True})
    if connection.execute(select(_LEDGER.c.span_id).where(_LEDGER.c.span_id == next_id)).first() is None:
        entry = LedgerEntry(next_id, before.run_id, before.parent_span_id, worker, **asdict(allowance))
        connection.execute(insert(_LEDGER).values(asdict(entry)))


def _record_time(connection: Connection, seconds: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for span_id, used in sorted(seconds.items()):  # in one order, to avoid deadlocks
        row = select(_LEDGER.c.active_s).where(_LEDGER.c.span_id == span_id).with_for_update()
        found[span_id] = max(used, connection.execute(row).scalar_one())
        _update(connection, span_id, {"active_s": found[span_id]})
    return found


def _entry(connection: Connection, span_id: str) -> LedgerEntry:
    return LedgerEntry(**connection.execute(_ALL.where(_LEDGER.c.span_id == span_id)).mappings().one())


def _entries(connection: Connection, run_id: str) -> list[LedgerEntry]:
    query = _ALL.where(_LEDGER.c.run_id == run_id).order_by(_LEDGER.c.worker.is_not(None))
    return [LedgerEntry(**row) for row in connection.execute(query).mappings()]

"""Effects performed in another system: reserved here, performed there under a fixed key, settled here.

A crash anywhere leaves a row that is driven on. An outcome that is not known is a state of its own: it is found out,
and nothing is repeated on a guess. `external_table` has the states.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, func, select

from ..errors import FlotillaError, OutcomeUnknown
from ..storage.database import Database
from .effect import Effect, outcome_unknown, recorded
from .external_table import ExternalEffect, Settled, get, leave_unknown, overdue, reserve, settle, take
from .faults import point

LOOK_S = 0.25  # one query by an index; with the lease this is how long a dead process's effect waits for another
OUTAGE_S = 1.0
AT_ONCE = 16  # driven on together by the reconciler: one that hangs must not keep others waiting
LEASE_S = 1.0  # of what was not sent, or may be sent again: two drivers of it are harmless, so it only saves work
LONGEST_PAUSE_S = 8.0  # between two attempts at what stays unknown
logger = logging.getLogger(__name__)

Clear = Callable[[Connection, Effect], Effect]
OnSettled = Callable[[Connection, ExternalEffect], None]


class ExternalSystem(Protocol):
    """Another system in which effects happen, as its adapter's author describes it. Subclass it for the defaults."""

    keys_kept: timedelta | None = None
    """How long a request repeated with its key has no second effect there. None: the system makes no such promise, and
    after an interruption it is asked by `find` before it is told again."""
    timeout_s: float = 10.0
    """How long a request may take. After twice that one that was cut off has arrived, or never will."""

    async def perform(self, request: Mapping[str, Any], key: str, /) -> Mapping[str, Any]:
        """Make it happen, leave `key` there so that `find` can find it, and answer what it says, as JSON.

        Raises:
            FlotillaError: a definite refusal, unless it is retryable: recorded, and the answer to every repeat.
            Exception: whatever else is raised, such as `OutcomeUnknown` or a lost connection, is no definite answer.
        """
        ...

    async def find(self, request: Mapping[str, Any], key: str, /) -> Mapping[str, Any] | None:
        """What `perform` would have answered, if that request ever arrived; None: it is not there.

        Raises:
            Exception: as of `perform`: it cannot be said.
        """
        ...


class ExternalEffects:
    """The external effects of one server, over its database.

    Args:
        on_settled: called in the settling transaction, for what a server keeps of its own about the effect.
    """

    def __init__(
        self, server: str, database: Database, system: ExternalSystem, on_settled: OnSettled | None = None
    ) -> None:
        self._server, self._database, self._system, self._on_settled = server, database, system, on_settled
        self._owner = secrets.token_hex(8)
        self._driving: dict[str, asyncio.Task[None]] = {}
        self._reconciler: asyncio.Task[None] | None = None
        self._lease_s = LEASE_S if system.keys_kept else 2 * system.timeout_s

    async def start(self) -> None:
        """Drive on what a crash or an unknown outcome left unsettled, until `close`."""
        self._reconciler = asyncio.create_task(self._reconcile(), name="reconciler of external effects")

    async def close(self) -> None:
        """Finish what is under way."""
        if self._reconciler:
            self._reconciler.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reconciler
        await asyncio.gather(*self._driving.values(), return_exceptions=True)

    async def perform(self, effect: Effect, request: Mapping[str, Any], clear: Clear) -> dict[str, Any]:
        """Make an effect happen in the other system, once, however often and by however many callers it is asked.

        Args:
            request: what the other system is told, as JSON.
            clear: the author's rules, ending in `approvals.require`, inside the reserving transaction.

        Raises:
            OutcomeUnknown: nobody knows yet whether it happened; the same call with the same key finds out.
            FlotillaError: the other system's refusal, or the reasons of `clear`: nothing happened.
            IdempotencyMismatch: the key was used with other arguments. Nothing happened.
        """
        effect_id = f"ext_{secrets.token_hex(10)}"
        point("before_reserve")
        effect_id = await self._database.write_unique(self._reserve_once, effect, effect_id, request, clear)
        point("after_reserve")
        found = await self._database.read(get, effect_id)
        if not found.settled:
            await self.drive(effect_id)
            found = await self._database.read(get, effect_id)
        return _answer(found, effect.key)

    def reserve(
        self,
        connection: Connection,
        effect: Effect,
        effect_id: str,
        request: Mapping[str, Any],
        answer: Mapping[str, Any],
    ) -> None:
        """For servers with rows of their own: `external_table.reserve`, in their transaction; then `drive` it."""
        reserve(connection, self._server, effect, effect_id, request, answer, owner=self._owner, lease_s=LEASE_S)

    async def drive(self, effect_id: str) -> None:
        """Take an effect as far as it goes; callers in this process share one attempt, and none can cancel it."""
        task = self._driving.get(effect_id)
        if task is None:
            task = self._driving[effect_id] = asyncio.create_task(self._attempt(effect_id))
            task.add_done_callback(lambda _: self._driving.pop(effect_id, None))
        await asyncio.shield(task)

    def _reserve_once(
        self, connection: Connection, effect: Effect, effect_id: str, request: Mapping[str, Any], clear: Clear
    ) -> str:
        _lock(connection, effect)
        if (earlier := recorded(connection, effect)) is not None:
            return str(earlier["effect_id"])
        cleared = clear(connection, effect)
        point("consuming")
        self.reserve(connection, cleared, effect_id, request, {"effect_id": effect_id})
        return effect_id

    async def _attempt(self, effect_id: str) -> None:
        try:
            await self._attempt_once(effect_id)
        except Exception:
            logger.exception("an external effect could not be driven; trying again", extra={"effect_id": effect_id})

    async def _attempt_once(self, effect_id: str) -> None:
        deadline = self._deadline()
        effect = await self._take(effect_id, self._same_key_is_safe)
        if effect is None:
            return
        try:
            outcome = await self._outcome(effect, deadline)
        except Exception as error:
            if isinstance(error, FlotillaError) and not error.retryable:
                await self._settle(effect_id, "failed", error.as_dict())
                return
            expected = isinstance(error, OutcomeUnknown | TimeoutError)
            said = {"effect_id": effect_id, "tool": effect.tool, "attempts": effect.attempts}
            logger.warning("an effect's outcome is unknown", extra=said, exc_info=None if expected else error)
            why = error.message if isinstance(error, FlotillaError) else f"{type(error).__name__}: {error}"
            pause_s = min(LEASE_S * 2 ** (effect.attempts - 1), LONGEST_PAUSE_S)
            await self._database.write_unique(leave_unknown, effect_id, self._owner, why, pause_s)
        else:
            await self._settle(effect_id, "done", outcome)

    async def _outcome(self, effect: ExternalEffect, deadline: float) -> Mapping[str, Any]:
        """The other system's definite answer, by asking first where that is called for."""
        if effect.state != "performing":
            if (found := await self._found(effect, deadline)) is not None:
                return found
            if not self._arrived_or_lost(effect):
                raise OutcomeUnknown("It is not there, and may still be on its way.")
            deadline = self._deadline()
            again = await self._take(effect.effect_id, lambda _: True)
            if again is None:
                raise OutcomeUnknown("Somebody else drives it now.")
        point("before_send")
        if asyncio.get_running_loop().time() >= deadline:  # others will soon take it that nothing was sent
            raise OutcomeUnknown("The lease ran out before the request left.")
        async with asyncio.timeout_at(deadline):
            answer = await self._system.perform(effect.request, effect.effect_id)
        point("after_send")
        return answer

    async def _found(self, effect: ExternalEffect, deadline: float) -> Mapping[str, Any] | None:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._system.find(effect.request, effect.effect_id)
        except FlotillaError as error:  # of the look, not of the effect
            raise OutcomeUnknown(error.message) from error

    async def _take(self, effect_id: str, may_perform: Callable[[ExternalEffect], bool]) -> ExternalEffect | None:
        return await self._database.write_unique(take, effect_id, self._owner, self._lease_s, may_perform)

    async def _settle(self, effect_id: str, state: Settled, outcome: Mapping[str, Any]) -> None:
        await self._database.write_unique(self._settle_both, effect_id, state, outcome)
        point("after_settle")

    def _settle_both(self, connection: Connection, effect_id: str, state: Settled, outcome: Mapping[str, Any]) -> None:
        effect = settle(connection, effect_id, state, outcome)
        if effect is not None and self._on_settled is not None:
            self._on_settled(connection, effect)
        point("settling")

    def _same_key_is_safe(self, effect: ExternalEffect) -> bool:
        kept = self._system.keys_kept
        return kept is not None and datetime.now(UTC) - effect.created_at < kept

    def _arrived_or_lost(self, effect: ExternalEffect) -> bool:
        """Whether what was sent is either there by now or never will be."""
        sent = effect.performed_at
        return sent is None or datetime.now(UTC) - sent >= timedelta(seconds=2 * self._system.timeout_s)

    def _deadline(self) -> float:
        """By when a request must have ended: half of the lease later, and taken before the lease is."""
        return asyncio.get_running_loop().time() + self._system.timeout_s

    async def _reconcile(self) -> None:
        while True:
            pause_s = LOOK_S
            try:
                neglected = await self._database.read(overdue, self._server, AT_ONCE)
                await asyncio.gather(*map(self.drive, neglected))
            except Exception:
                logger.exception("reconciliation failed; trying again")
                pause_s = OUTAGE_S
            await asyncio.sleep(pause_s)


def _lock(connection: Connection, effect: Effect) -> None:
    """Of two callers with one key the second sees what the first recorded, not only that its approval is used up."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        which = json.dumps([effect.principal, effect.run, effect.tool, effect.key])
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(which, 0))))


def _answer(effect: ExternalEffect, key: str) -> dict[str, Any]:
    """What a caller hears who gave that key, if any."""
    if effect.state == "done":
        return effect.outcome or {}
    if effect.outcome is not None:
        raise FlotillaError.from_dict(effect.outcome)
    raise outcome_unknown(key, effect_id=effect.effect_id)

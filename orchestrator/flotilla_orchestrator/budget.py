"""What a run may use, and who holds how much of it: turns, dollars and wall clock, reserved while a session runs."""

import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from .config import Limits
from .deadline import Deadline
from .errors import Failure


class Allowance:
    """What one session may use; say with `settle` what it has used."""

    def __init__(self, max_turns: int, budget_usd: float, seconds_left: Callable[[], float]) -> None:
        self.max_turns = max_turns
        self.budget_usd = budget_usd
        self.turns = 0
        self.cost_usd: float | None = None
        self._seconds_left = seconds_left

    @property
    def wall_clock_s(self) -> float:
        """Read it when the session starts: time passes also while it waits for its turn."""
        return self._seconds_left()

    def left(self, turns: int, cost_usd: float | None) -> tuple[int, float]:
        """Turns and dollars for a session that goes on after it has used so much.

        Raises:
            Failure: `turns_exceeded` or `budget_exceeded`: nothing is left.
        """
        if turns >= self.max_turns:
            raise Failure("turns_exceeded", f"All {self.max_turns} turns are used.", "Raise max_turns.")
        if (cost_usd or 0) >= self.budget_usd:
            raise Failure("budget_exceeded", f"All of ${self.budget_usd:g} is used.", "Raise budget_usd.")
        return self.max_turns - turns, self.budget_usd - (cost_usd or 0)

    def settle(self, turns: int, cost_usd: float | None) -> None:
        """`cost_usd` None (it could not be told) counts as all of it: a limit must not leak."""
        self.turns, self.cost_usd = turns, cost_usd


class Budget:
    """A run's limits. What a session reserves is out of the others' reach until it ends, so parallel ones cannot
    overdraw; a session can exceed its dollars by one model call at most."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        assert limits.max_turns and limits.budget_usd and limits.wall_clock_s, "run limits are complete"
        self.deadline = Deadline(limits.wall_clock_s, clock=clock)
        self._limits = limits
        self._turns_left = limits.max_turns
        self._usd_left = limits.budget_usd

    @contextmanager
    def reserve(self, own: Limits, among: int = 1) -> Generator[Allowance]:
        """What a session with these limits of its own may use; the rest comes back when it ends.

        Args:
            among: how many sessions are about to share what is left, this one included.

        Raises:
            Failure: `run_budget_exceeded`: one of the run's limits leaves nothing.
        """
        turns, usd = self._turns_left // among, self._usd_left / among
        if turns < 1:
            raise self._exhausted("turns", f"{self._limits.max_turns} turns")
        if usd <= 0:
            raise self._exhausted("dollars", f"${self._limits.budget_usd:g}")
        if not self.deadline.left:
            raise self._exhausted("time", f"{self._limits.wall_clock_s:g} s")
        allowance = Allowance(
            max_turns=min(own.max_turns or turns, turns),
            budget_usd=min(own.budget_usd or usd, usd),
            seconds_left=lambda: min(own.wall_clock_s or math.inf, self.deadline.left),
        )
        self._turns_left -= allowance.max_turns
        self._usd_left -= allowance.budget_usd
        try:
            yield allowance
        finally:
            self._turns_left += allowance.max_turns - allowance.turns
            if allowance.cost_usd is not None:
                self._usd_left += allowance.budget_usd - allowance.cost_usd

    def _exhausted(self, what: str, limit: str) -> Failure:
        return Failure(
            "run_budget_exceeded",
            f"The run has no {what} left: {limit} are used or reserved by sessions that are still running.",
            "Finish with what you have, or raise `limits` in the playbook.",
        )

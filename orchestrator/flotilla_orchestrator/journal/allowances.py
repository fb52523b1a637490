"""Allowances and usage of agents, and the ledger's rows of them."""

from dataclasses import asdict, dataclass

from pydantic import JsonValue

from ..config.limits import Limits
from ..errors import Failure


@dataclass(frozen=True)
class Allowance:
    """What one agent may use, in all of the parts that its session is interrupted into."""

    max_turns: int
    budget_usd: float
    wall_clock_s: float

    def as_dict(self) -> dict[str, JsonValue]:
        return asdict(self)

    def remaining(self, turns: int, cost_usd: float | None) -> tuple[int, float]:
        """Turns and dollars for a session that continues after it has used so much.

        Raises:
            Failure: `turns_exceeded` or `budget_exceeded`: nothing is left.
        """
        if turns >= self.max_turns:
            raise self.exceeded("turns_exceeded", turns, cost_usd)
        if (cost_usd or 0) >= self.budget_usd:
            raise self.exceeded("budget_exceeded", turns, cost_usd)
        return self.max_turns - turns, self.budget_usd - (cost_usd or 0)

    def exceeded(self, code: str, turns: int, cost_usd: float | None) -> Failure:
        """`turns_exceeded` or `budget_exceeded`, with `details` {used, limit, over}."""
        if code == "turns_exceeded":
            details: dict[str, JsonValue] = {
                "used": turns,
                "limit": self.max_turns,
                "over": max(0, turns - self.max_turns),
            }
            message = f"All {self.max_turns} turns are used."
            return Failure(code, message, "Raise max_turns.", details=details)
        used, limit = round(cost_usd or 0, 6), self.budget_usd
        over = round(max(0.0, used - limit), 6)
        message = f"${used:g} of ${limit:g} are used: ${over:g} too much, by the last model call."
        details = {"used": used, "limit": limit, "over": over}
        return Failure(code, message, "Raise budget_usd.", details=details)


@dataclass(frozen=True)
class LedgerEntry:
    """A row: of an agent, or (`worker` is None) of the whole run.

    Attributes:
        parent_span_id: the row of the lead that waits for it, or of the run.
        cost_usd: None while it is unknown.
        lost_turns, lost_usd: model calls in which a process died, and an estimate of their cost. They have left no
            answer, so they are in no other number; they count for the limits.
        active_s: seconds at work; parallel work counts once.
    """

    span_id: str
    run_id: str
    parent_span_id: str | None
    worker: str | None
    max_turns: int
    budget_usd: float
    wall_clock_s: float
    turns: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    lost_turns: int = 0
    lost_usd: float = 0
    active_s: float = 0
    settled: bool = False

    @property
    def allowance(self) -> Allowance:
        return Allowance(self.max_turns, self.budget_usd, self.wall_clock_s)

    def remaining(self, turns: int, cost_usd: float | None) -> tuple[int, float]:
        """As of its allowance, after it has used so much and what is lost."""
        return self.allowance.remaining(turns + self.lost_turns, (cost_usd or 0) + self.lost_usd)

    def exceeded(self, code: str, turns: int, cost_usd: float | None) -> Failure:
        return self.allowance.exceeded(code, turns + self.lost_turns, (cost_usd or 0) + self.lost_usd)

    def as_record(self) -> dict[str, JsonValue]:
        """As `--json` has it; `over` is what was used beyond what was allowed."""
        used: dict[str, JsonValue] = {
            "turns": self.turns,
            "cost_usd": None if self.cost_usd is None else round(self.cost_usd, 6),
            "wall_clock_s": round(self.active_s, 3),
            "tool_calls": self.tool_calls,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "lost_turns": self.lost_turns,
            "lost_usd": round(self.lost_usd, 6),
        }
        over: dict[str, JsonValue] = {
            "turns": max(0, self.turns + self.lost_turns - self.max_turns),
            "cost_usd": round(max(0.0, (self.cost_usd or 0) + self.lost_usd - self.budget_usd), 6),
        }
        return {"allowed": self.allowance.as_dict(), "used": used, "over": over}

    @property
    def reserved(self) -> tuple[int, float]:
        """Turns and dollars that are out of the others' reach.

        An unknown cost counts as all that was reserved: a limit must hold.
        """
        turns = self.turns + self.lost_turns
        cost_usd = self.budget_usd if self.cost_usd is None else self.cost_usd + self.lost_usd
        return (turns, cost_usd) if self.settled else (max(turns, self.max_turns), max(cost_usd, self.budget_usd))


@dataclass(frozen=True)
class Reservation:
    """An agent that is about to begin: its session's span, its own limits, and who waits for it (None: the run)."""

    span_id: str
    worker: str
    limits: Limits
    awaited_by: str | None = None


@dataclass(frozen=True)
class Usage:
    """All that an agent has used so far."""

    turns: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None

"""How often one principal may call: a token bucket each, in a table that cannot grow without bound."""

import time
from collections import OrderedDict
from collections.abc import Callable

BURST_S = 5  # seconds' worth of calls that may come at once after a pause
_MOST_CALLERS = 10_000


class RateLimit:
    """`per_s` calls a second for each caller, in bursts of up to `BURST_S` seconds' worth."""

    def __init__(self, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._most, self._clock = per_s, max(1.0, per_s * BURST_S), clock
        self._buckets: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def wait_s(self, *caller: str) -> float:
        """Take one call: 0 if it may go ahead, else for how long this caller has to wait."""
        now = self._clock()
        left, at = self._buckets.pop(caller, (self._most, now))
        left = min(self._most, left + (now - at) * self._per_s)
        allowed = left >= 1
        self._buckets[caller] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _MOST_CALLERS:
            # Whoever was seen longest ago; a bucket that was full by then is lost without a trace.
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._per_s

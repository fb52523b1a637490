"""How often one principal may call: a token bucket each, in a table that cannot grow without bound."""

import time
from collections import OrderedDict
from collections.abc import Callable

BURST_S = 5  # seconds' worth of calls that may come at once after a pause
_MOST_CALLERS = 10_000


class Bucket:
    """The arithmetic of a bucket: what is left in it, and when that was so."""

    def __init__(self, per_s: float) -> None:
        self._per_s, self.most = per_s, max(1.0, per_s * BURST_S)

    def take(self, left: float, at: float, now: float) -> tuple[float, float]:
        """Take one call at `now`: what is left then, and 0 if it may go ahead, else for how long it has to wait."""
        left = min(self.most, left + (now - at) * self._per_s)
        return (left - 1, 0.0) if left >= 1 else (left, (1 - left) / self._per_s)


class RateLimit:
    """`per_s` calls a second for each caller, in bursts of up to `BURST_S` seconds' worth."""

    def __init__(self, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bucket, self._clock = Bucket(per_s), clock
        self._callers: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def wait_s(self, *caller: str) -> float:
        """Take one call: 0 if it may go ahead, else for how long this caller has to wait."""
        now = self._clock()
        left, at = self._callers.pop(caller, (self._bucket.most, now))
        left, wait_s = self._bucket.take(left, at, now)
        self._callers[caller] = left, now
        if len(self._callers) > _MOST_CALLERS:
            # Whoever was seen longest ago; a bucket that was full by then is lost without a trace.
            self._callers.popitem(last=False)
        return wait_s

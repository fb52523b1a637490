"""How long a proof runs: a seeded tenth in an ordinary test run, all of it with `FLOTILLA_PROVE=1`."""

import os
import random

FULL = os.environ.get("FLOTILLA_PROVE") == "1"
SEED = int(os.environ.get("FLOTILLA_SEED", "20261121"))


def share(full: int) -> int:
    """`full` in a full run, a tenth of it (at least one) otherwise."""
    return full if FULL else max(1, full // 10)


def draw(name: str) -> random.Random:
    """A random source that depends on the seed and the proof's name only."""
    return random.Random(f"{SEED}-{name}")

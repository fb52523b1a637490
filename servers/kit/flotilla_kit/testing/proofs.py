"""How long a proof runs: a seeded twentieth in an ordinary test run, all of it with `FLOTILLA_PROVE=1`."""

import os
import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

FULL = os.environ.get("FLOTILLA_PROVE") == "1"
SEED = int(os.environ.get("FLOTILLA_SEED", "20261121"))
T = TypeVar("T")


def share(full: int) -> int:
    """`full` in a full run, a twentieth of it (at least one) otherwise."""
    return full if FULL else max(1, full // 20)


def draw(name: str) -> random.Random:
    """A random source that depends on the seed and the proof's name only."""
    return random.Random(f"{SEED}-{name}")


def drawn(classes: Iterable[Sequence[T]], name: str) -> list[T]:
    """All values of all classes in a full run, otherwise one of each class, drawn by the seed and the name."""
    source = draw(name)
    return [value for values in classes if values for value in (values if FULL else [source.choice(values)])]


def some(values: Sequence[T], count: int, name: str) -> Sequence[T]:
    """All of them in a full run, otherwise so many, drawn by the seed and the name, in their order."""
    if FULL or len(values) <= count:
        return values
    return [values[number] for number in sorted(draw(name).sample(range(len(values)), count))]

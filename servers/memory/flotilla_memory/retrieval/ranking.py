"""How well a passage answers a question: features of the two, and their weighted sum. Pure: it reads no database.

The weights were fitted on dialogues with their evidence known (see `benchmarks/retrieval`). Lexical features are BM25
scores divided by the best of the question's candidates, so the sum compares passages of one question, not of two.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, log1p, sqrt

K1 = 1.2
B = 0.75
B_EPISODE = 0.5

WEIGHTS: Mapping[str, float] = {
    "own": 1.26,  # BM25 of the passage alone,
    "near": 1.73,  # with its neighbours,
    "around": 2.52,  # with the three before and the two behind it,
    "episode": 2.09,  # and of its whole episode
    "speaker": 2.62,  # it is said by, or about, the one person whom the question names
    "period": 3.62,  # of a month, a year or a span that the question names
    "day": 2.84,  # of a day that the question names, or near it
    "length": 0.29,  # logarithm of its terms, standardised over the candidates
    "question": -0.71,  # it asks something itself
    "bigrams": 1.19,  # pairs of the question's terms that stand side by side in it, three at most, as a share of three
    "time": 2.23,  # the question asks for a time or an amount, and it has one
    "first_person": 0.65,
}
FEATURES = tuple(WEIGHTS)

_ASKS_TIME = re.compile(
    r"\s*(?:since )?(?:when|how (?:long|many|much|often)|(?:what|which) (?:date|day|time|year|month))\b", re.I
)
_HAS_TIME = re.compile(r"\d|yesterday|last |ago|week|month|year|today|tomorrow|next ", re.I)
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|my|we|i've)\b", re.I)


def idf(passages: int, having: int) -> float:
    """How much a term tells that `having` of `passages` have."""
    return log(1 + (passages - having + 0.5) / (having + 0.5))


def bm25(counts: Mapping[str, int], rarity: Mapping[str, float], length: float, average: float, b: float = B) -> float:
    """The score of a text that has these of the question's terms."""
    norm = K1 * (1 - b + b * length / average)
    return sum(rarity[term] * count * (K1 + 1) / (count + norm) for term, count in counts.items())


def asks_time(question: str) -> bool:
    return _ASKS_TIME.match(question) is not None


def has_time(text: str) -> bool:
    return _HAS_TIME.search(text) is not None


def in_first_person(text: str) -> bool:
    return _FIRST_PERSON.search(text) is not None


def is_question(text: str) -> bool:
    return text.rstrip().endswith("?")


def bigrams(asked: Sequence[str], said: Sequence[str]) -> float:
    """The share of three pairs of neighbouring terms that both have."""
    return min(3, len(set(pairwise(asked)) & set(pairwise(said)))) / 3


@dataclass(frozen=True)
class Standard:
    """Mean and deviation of what is standardised."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Standard":
        mean = sum(values) / len(values)
        return cls(mean, sqrt(sum((value - mean) ** 2 for value in values) / len(values)) or 1.0)

    def score(self, value: float) -> float:
        return (value - self.mean) / self.deviation


def length(terms: int) -> float:
    return log1p(terms)


def total(features: Sequence[float], weights: Sequence[float]) -> float:
    """The weighted sum, in the order of `FEATURES`."""
    return sum(feature * weight for feature, weight in zip(features, weights, strict=True))

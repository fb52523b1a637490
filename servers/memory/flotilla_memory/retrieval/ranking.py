"""How well a passage answers a question: features of the two, and their weighted sum. Pure: it reads no database.

The weights were fitted on dialogues with their evidence known (see `benchmarks/retrieval`). Lexical features are BM25
scores divided by the best of the question's candidates, so the sum compares passages of one question, not of two.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, pairwise
from math import fsum, log, sqrt
from operator import mul

K1 = 1.2
B = 0.75
B_EPISODE = 0.5

# Of what the index says, and of who said it when; then, of the best by these, what their texts say.
WEIGHTS: Mapping[str, float] = {
    "own": 1.76,  # BM25 of the passage alone,
    "near": 0.78,  # with its neighbours,
    "around": 3.08,  # with the three before and the two behind it,
    "episode": 0.98,  # and of its whole episode
    "best": 1.5,  # BM25 of the best passage of its episode
    "answers": 1.48,  # BM25 of the question right before it
    "speaker": 2.52,  # it is said by, or about, a person whom the question names; a share of it if those are more
    "period": 3.71,  # of a month, a year or a span that the question names
    "day": 2.57,  # of a day that the question names, or near it
    "length": 0.25,  # logarithm of its terms, standardised over the candidates
    "information": 0.31,  # how rare its words are among those of the candidates, standardised
    "question": -0.64,  # it asks something itself
    "bigrams": 0.95,  # pairs of the question's terms that stand side by side in it, three at most, as a share of three
    "time": 2.32,  # the question asks for a time or an amount, and it has one
}
FEATURES = tuple(WEIGHTS)
OF_INDEX = 9
"""So many of the features need no text."""

# Where passages have vectors: the same features with weights of their own, and what vectors say.
WEIGHTS_WITH_VECTORS: Mapping[str, float] = {
    "own": 1.16,
    "near": 0.38,
    "around": 3.31,
    "episode": 0.32,
    "best": 1.18,
    "answers": 1.28,
    "speaker": 2.5,
    "period": 3.55,
    "day": 2.79,
    "length": 0.25,
    "information": 0.29,
    "question": -0.73,
    "bigrams": 1.2,
    "time": 2.34,
    "meaning": 0.76,  # how near its vector is to the question's, standardised over the account as the next two;
    "meaning_around": 0.25,  # that of the two before and the two behind it and its own, on average;
    "meaning_episode": 0.25,  # of the nearest passage of its episode
    "both": -0.57,  # meaning times around: in part they say the same
}
FEATURES_WITH_VECTORS = tuple(WEIGHTS_WITH_VECTORS)

_MOST_DEVIATIONS = 3.0  # one text among many that are nearly the same is no outlier that outweighs its words

_ASKS_TIME = re.compile(
    r"\s*(?:since )?(?:when|how (?:long|many|much|often)|(?:what|which) (?:date|day|time|year|month))\b", re.I
)
_HAS_TIME = re.compile(
    r"\d|yesterday|last |ago|week|month|year|today|tomorrow|next |(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|january|february|april|june|july|august|september|october|november|december",
    re.I,
)


def idf(passages: int, having: int) -> float:
    """How much a term tells that `having` of `passages` have."""
    return log(1 + (passages - having + 0.5) / (having + 0.5))


def norm(length: float, average: float, b: float = B) -> float:
    """What a text's length, in terms, takes from a count in it."""
    return K1 * (1 - b + b * length / average)


def saturated(rarity: float, count: int, norm: float) -> float:
    """What a term adds to the BM25 score of a text that has it so often."""
    return rarity * count * (K1 + 1) / (count + norm)


def asks_time(question: str) -> bool:
    return _ASKS_TIME.match(question) is not None


def has_time(text: str) -> bool:
    return _HAS_TIME.search(text) is not None


def is_question(text: str) -> bool:
    return text.rstrip().endswith("?")


def bigrams(asked: Sequence[str], said: Sequence[str]) -> float:
    """The share of three pairs of neighbouring terms that both have."""
    if sum(map(bool, said)) < 2:
        return 0.0
    return min(3, len(set(pairwise(asked)) & set(pairwise(said)))) / 3


def information(texts: Sequence[Collection[str]]) -> list[float]:
    """How rare the words of each text are among the texts, on average, standardised."""
    having = Counter(chain.from_iterable(texts))
    of_count = {count: idf(len(texts), count) for count in set(having.values())}
    rarity = {word: of_count[count] for word, count in having.items()}
    return standardised([fsum([rarity[word] for word in words]) / (len(words) + 1) for words in texts])


def standardised(values: Sequence[float]) -> list[float]:
    """Each value's distance to the mean, in standard deviations; no more than `_MOST_DEVIATIONS` counts."""
    mean = sum(values) / len(values)
    deviation = sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    if deviation <= 1e-9:  # all alike: what is left of them is rounding
        return [0.0] * len(values)
    return [max(-_MOST_DEVIATIONS, min(_MOST_DEVIATIONS, (value - mean) / deviation)) for value in values]


def total(features: Sequence[float], weights: Sequence[float]) -> float:
    """The weighted sum of features: of all of them, or of the first."""
    return sum(map(mul, features, weights))

"""The weights of the ranking, fitted to questions whose evidence is known.

They make the evidence most likely under a softmax over the question's candidates: by Newton's method, with a small
penalty on large weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

_PENALTY = 1e-3
_STEPS = 10
_LONGEST = 1.0  # change of a weight in a step: far from the optimum the curvature promises too much

Vector = list[float]
Matrix = list[list[float]]


@dataclass(frozen=True)
class Choice:
    """The candidates of one question by their features, and which of them are its evidence."""

    features: Sequence[Sequence[float]]
    evidence: Sequence[int]


@dataclass(frozen=True)
class Slope:
    """Gradient and curvature of the likelihood of some choices, summed, and how many they are."""

    gradient: Vector
    curvature: Matrix
    choices: int

    def plus(self, other: "Slope", sign: int = 1) -> "Slope":
        return Slope(
            [a + sign * b for a, b in zip(self.gradient, other.gradient, strict=True)],
            [
                [a + sign * b for a, b in zip(row, others, strict=True)]
                for row, others in zip(self.curvature, other.curvature, strict=True)
            ],
            self.choices + sign * other.choices,
        )


def fit(groups: Sequence[Sequence[Choice]]) -> tuple[Vector, list[Vector]]:
    """The weights fitted to all groups, and for each group those fitted to all others.

    The latter are one Newton step from the former, without the group's share in gradient and curvature.
    """
    weights = [0.0] * len(groups[0][0].features[0])
    slopes: list[Slope] = []
    for _ in range(_STEPS):
        slopes = [_slope(group, weights) for group in groups]
        weights = _step(weights, _sum(slopes))
    slopes = [_slope(group, weights) for group in groups]
    everything = _sum(slopes)
    return weights, [_step(weights, everything.plus(slope, -1)) for slope in slopes]


def _sum(slopes: Sequence[Slope]) -> Slope:
    total = slopes[0]
    for slope in slopes[1:]:
        total = total.plus(slope)
    return total


def _slope(choices: Sequence[Choice], weights: Vector) -> Slope:
    size = range(len(weights))
    gradient = [0.0 for _ in size]
    curvature = [[0.0 for _ in size] for _ in size]
    for choice in choices:
        sums = [sum(w * f for w, f in zip(weights, features, strict=True)) for features in choice.features]
        top = max(sums)
        parts = [exp(value - top) for value in sums]
        whole = sum(parts)
        # Candidates that are all but excluded add next to nothing.
        likely = [(p / whole, f) for p, f in zip(parts, choice.features, strict=True) if p / whole > 1e-5]
        mean = [sum(p * features[i] for p, features in likely) for i in size]
        for i in size:
            wanted = sum(choice.features[at][i] for at in choice.evidence) / len(choice.evidence)
            gradient[i] += wanted - mean[i]
            weighted = [p * features[i] for p, features in likely]
            for j in range(i + 1):
                together = sum(w * features[j] for w, (_, features) in zip(weighted, likely, strict=True))
                curvature[i][j] += together - mean[i] * mean[j]
    for i in size:
        for j in range(i):
            curvature[j][i] = curvature[i][j]
    return Slope(gradient, curvature, len(choices))


def _step(weights: Vector, slope: Slope) -> Vector:
    penalty = _PENALTY * slope.choices
    gradient = [g - penalty * w for g, w in zip(slope.gradient, weights, strict=True)]
    curvature = [
        [value + (penalty if i == j else 0.0) for j, value in enumerate(row)] for i, row in enumerate(slope.curvature)
    ]
    changes = _solve(curvature, gradient)
    share = min(1.0, _LONGEST / max(abs(change) for change in changes))
    return [w + share * change for w, change in zip(weights, changes, strict=True)]


def _solve(matrix: Matrix, right: Vector) -> Vector:
    """The solution of a positive definite system, by elimination."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i, pivot in enumerate(rows):
        for row in rows[i + 1 :]:
            factor = row[i] / pivot[i]
            row[i:] = [a - factor * b for a, b in zip(row[i:], pivot[i:], strict=True)]
    solution = [0.0] * len(rows)
    for i in reversed(range(len(rows))):
        known = sum(rows[i][j] * solution[j] for j in range(i + 1, len(rows)))
        solution[i] = (rows[i][-1] - known) / rows[i][i]
    return solution

"""What is measured of answers to questions, and its table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, quantiles

from .accounts import Hit
from .data import ABSENT, Question

_ORDER = ("all", "single-hop", "multi-hop", "temporal", "open-domain")


@dataclass
class Measured:
    """One system's answers to the questions of one set."""

    name: str
    answers: list[tuple[Question, list[Hit]]] = field(default_factory=list[tuple[Question, list[Hit]]])
    seconds: list[float] = field(default_factory=list[float])
    bytes_of_answers: list[int] = field(default_factory=list[int])

    def add(self, question: Question, hits: list[Hit], seconds: float, size: int | None = None) -> None:
        """Note an answer; its size is that of the ten best texts, if it is not told."""
        self.answers.append((question, hits))
        self.seconds.append(seconds)
        self.bytes_of_answers.append(sum(len(hit.text.encode()) for hit in hits[:10]) if size is None else size)

    def recall(self, kind: str, among: int) -> float:
        """The share of a question's evidence that is among the first hits, on average."""
        return fmean(len(found) / len(question.evidence) for question, found in self._found(kind, among))

    def complete(self, kind: str, among: int) -> float:
        """The share of questions all of whose evidence is among the first hits."""
        return fmean(len(found) == len(question.evidence) for question, found in self._found(kind, among))

    def count(self, kind: str) -> int:
        return len(self._found(kind, 1))

    def kinds(self) -> list[str]:
        present = {question.kind for question, _ in self.answers}
        return [kind for kind in _ORDER if kind == "all" or kind in present]

    def _found(self, kind: str, among: int) -> list[tuple[Question, set[str]]]:
        return [
            (question, {hit.turn_id for hit in hits[:among]} & question.evidence)
            for question, hits in self.answers
            if question.evidence and kind in ("all", question.kind)
        ]

    def abstains(self, below: float, *, absent: bool) -> float:
        """The share of questions with no hit of such a score: of those that nothing answers, or of all others."""
        of = [hits for question, hits in self.answers if (question.kind == ABSENT) == absent]
        return fmean(not hits or hits[0].score < below for hits in of)


def print_table(systems: Sequence[Measured]) -> None:
    """Print recall by kind, then what an answer costs and what is said of what nothing answers."""
    print(f"{'':24}{'kind':14}{'n':>6}{'R@5':>7}{'R@10':>7}{'R@20':>7}{'all@10':>8}")
    for system in systems:
        for kind in system.kinds():
            recalls = "".join(f"{system.recall(kind, among):>7.3f}" for among in (5, 10, 20))
            complete = system.complete(kind, 10)
            print(f"{system.name:24}{kind:14}{system.count(kind):>6}{recalls}{complete:>8.3f}")
    print(f"\n{'':24}{'p50 ms':>8}{'p95 ms':>8}{'bytes an answer':>17}   abstains: absent / answered")
    for system in systems:
        cuts = quantiles(system.seconds, n=20)
        line = f"{system.name:24}{median(system.seconds) * 1e3:>8.1f}{cuts[-1] * 1e3:>8.1f}"
        print(f"{line}{fmean(system.bytes_of_answers):>17.0f}   {_abstention(system)}")


def _abstention(system: Measured) -> str:
    if not any(question.kind == ABSENT for question, _ in system.answers):
        return "-"
    cuts = (0.0001, 0.2, 0.3, 0.4)
    pairs = [(system.abstains(cut, absent=True), system.abstains(cut, absent=False)) for cut in cuts]
    shown = [f"{absent:.2f}/{answered:.2f}" for absent, answered in pairs]
    return f"nothing {shown[0]}" + "".join(f"  <{cut} {pair}" for cut, pair in zip(cuts[1:], shown[1:], strict=True))

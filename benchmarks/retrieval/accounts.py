"""The samples as accounts of a memory store, and what its search says of their questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flotilla_memory import schema
from flotilla_memory.encoding.encoder import Encoder
from flotilla_memory.retrieval import candidates, words
from flotilla_memory.retrieval.search import Examined, Query, examine, search
from flotilla_memory.writing.bulk import write
from sqlalchemy import Connection, select

from .data import Question, Sample, turn_id

TENANT = "default"
NOW = "2030-01-01T00:00:00.000+00:00"


@dataclass(frozen=True)
class Hit:
    """A turn that was found, with its score."""

    turn_id: str
    score: float
    text: str


@dataclass(frozen=True)
class Account:
    """A sample in the store."""

    account_key: int
    sample: Sample
    turns: Mapping[int, tuple[str, str]]
    """Id and text of each passage's turn."""

    def query(self, question: Question, limit: int = 20) -> Query:
        return Query(question.text, TENANT, (self.account_key,), limit=limit)

    def find(
        self,
        conn: Connection,
        question: Question,
        weights: Mapping[str, float] | None = None,
        encoder: Encoder | None = None,
    ) -> list[Hit]:
        """The twenty best turns, as the server's search ranks them."""
        found = search(conn, self.query(question), NOW, weights, encoder)
        return [Hit(*self._turn(hit.passage_key, hit.score)) for hit in found]

    def find_plainly(self, conn: Connection, question: Question) -> list[Hit]:
        """The twenty best turns by BM25 of the turn alone, over the same index."""
        found = candidates.matches(conn, self.query(question), words.terms(question.text))
        best = sorted(((score, key) for key, score in found.scores.items()), reverse=True)[:20]
        return [Hit(*self._turn(key, min(1.0, score / found.asked))) for score, key in best]

    def examine(self, conn: Connection, question: Question, encoder: Encoder | None = None) -> Examined:
        """The candidates with their features, of which weights are fitted."""
        return examine(conn, self.query(question), NOW, encoder=encoder)

    def _turn(self, passage_key: int, score: float) -> tuple[str, float, str]:
        turn_id, text = self.turns[passage_key]
        return turn_id, score, text


def fill(conn: Connection, samples: Sequence[Sample]) -> list[Account]:
    """Write the samples into an empty store, each as an account."""
    write(conn, TENANT, [episode for sample in samples for episode in sample.episodes], NOW)
    a = schema.accounts.c
    keys = {str(name): int(key) for name, key in conn.execute(select(a.account_id, a.account_key))}
    return [Account(key := keys[sample.account_id], sample, _turns(conn, key)) for sample in samples]


def _turns(conn: Connection, account_key: int) -> dict[int, tuple[str, str]]:
    """Id and text of the turn that each passage of the account is."""
    p, e = schema.passages.c, schema.episodes.c
    rows = conn.execute(
        select(p.passage_key, e.external_id, p.position, p.text)
        .join(schema.episodes, e.episode_key == p.episode_key)
        .where(p.account_key == account_key)
    )
    return {int(key): (turn_id(name, int(position or 0)), str(text)) for key, name, position, text in rows}

"""The samples as accounts of a memory store, and what its search says of their questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flotilla_memory import schema
from flotilla_memory.retrieval import candidates, index, ranking, words
from flotilla_memory.retrieval.search import Examined, Query, examine, search
from sqlalchemy import Connection, insert

from .data import Question, Sample

TENANT = "default"
NOW = "2030-01-01T00:00:00.000Z"


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

    def find(self, conn: Connection, question: Question, weights: Mapping[str, float] = ranking.WEIGHTS) -> list[Hit]:
        """The twenty best turns, as the server's search ranks them."""
        found = search(conn, self.query(question), NOW, weights)
        return [Hit(*self._turn(hit.passage_key, hit.score)) for hit in found]

    def find_plainly(self, conn: Connection, question: Question) -> list[Hit]:
        """The twenty best turns by BM25 of the turn alone, over the same index."""
        found = candidates.matches(conn, self.query(question), words.terms(question.text))
        best = sorted(((score, key) for key, score in found.scores.items()), reverse=True)[:20]
        return [Hit(*self._turn(key, min(1.0, score / found.asked))) for score, key in best]

    def examine(self, conn: Connection, question: Question) -> Examined:
        """The candidates with their features, of which weights are fitted."""
        return examine(conn, self.query(question), NOW)

    def _turn(self, passage_key: int, score: float) -> tuple[str, float, str]:
        turn_id, text = self.turns[passage_key]
        return turn_id, score, text


def fill(conn: Connection, samples: Sequence[Sample]) -> list[Account]:
    """Write the samples into an empty store, each as an account."""
    schema.metadata.create_all(conn)
    accounts: list[Account] = []
    key = 0
    for account_key, sample in enumerate(samples, 1):
        account = {"account_key": account_key, "tenant_id": TENANT, "account_id": sample.sample_id}
        conn.execute(insert(schema.accounts), account)
        turns: dict[int, tuple[str, str]] = {}
        for session in sample.sessions:
            episode = {"episode_key": key + 1, "episode_id": f"ep_{key + 1}", "account_key": account_key}
            about = {"channel": session.channel, "occurred_at": session.occurred_at}
            conn.execute(insert(schema.episodes), {**episode, **about, "content_hash": "", "recorded_at": NOW})
            rows: list[dict[str, object]] = []
            indexed: list[index.Indexed] = []
            for position, turn in enumerate(session.turns, 1):
                key += 1
                turns[key] = (turn.turn_id, turn.text)
                said = {"speaker": turn.speaker, "text": turn.text, "occurred_at": session.occurred_at}
                of = {"passage_id": f"p{key}", "kind": "turn", "position": position, "account_key": account_key}
                terms = index.count_terms(turn.speaker, turn.text).total()
                rows.append({"passage_key": key, "episode_key": episode["episode_key"], "terms": terms, **said, **of})
                indexed.append(index.Indexed(key, turn.text, turn.speaker))
            conn.execute(insert(schema.passages), rows)
            index.add(conn, account_key, indexed)
        accounts.append(Account(account_key, sample, turns))
    return accounts

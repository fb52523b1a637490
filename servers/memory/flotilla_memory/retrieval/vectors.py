"""Vectors of passages: which are near a question in meaning, and what that says of those around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flotilla_kit.storage.statements import chunks
from sqlalchemy import Connection, Select, delete, func, select, update

from ..schema import encoded, vectors
from .candidates import Query, in_scope

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..encoding.encoder import Encoder

MAX_SCANNED = 20_000  # vectors are compared in full; of more, only those of passages that words have found
MAX_NEAREST = 100  # passages that meaning alone may add to the candidates
LENGTH = 127  # of a vector, as an encoder makes it
AROUND = 2  # passages before and behind that count as around one
_MAX_KEYS = 500
v = vectors.c

Meaning = tuple[float, float, float]
"""How near the passage is, what is around it on average, and the nearest of its episode, each standardised."""
UNKNOWN: Meaning = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Compared:
    """The passages' vectors against a question's."""

    nearest: Sequence[int]
    """Passages, the nearest first; none where only those of given passages were compared."""
    place: Mapping[int, int]
    """Of each passage its row in the features."""
    features: "NDArray[Any]"
    best: float
    """The cosine of the nearest, from -1 to 1."""

    def meaning(self, passage_key: int) -> Meaning:
        """What a passage's vector says of it; nothing in particular if it has none."""
        at = self.place.get(passage_key)
        if at is None:
            return UNKNOWN
        near, around, episode = self.features[at].tolist()
        return near, around, episode


def has_any(conn: Connection, query: Query, encoder: "Encoder") -> bool:
    """Whether the query's accounts have vectors of this encoder."""
    return conn.execute(_accounts(query, encoder).limit(1)).first() is not None


def _accounts(query: Query, encoder: "Encoder") -> Select[int]:
    of = encoded.c
    return select(of.account_key).where(in_scope(of.account_key, query), of.encoder == encoder.name)


def compare(conn: Connection, query: Query, encoder: "Encoder", text: str, found: Sequence[int]) -> Compared | None:
    """Compare the vectors of the query's accounts with a text; None if they have none of this encoder.

    Args:
        found: the passages that words have found.
    """
    of = encoded.c
    of_encoder = _accounts(query, encoder)
    passages = conn.execute(select(func.sum(of.passages)).where(of.account_key.in_(of_encoder))).scalar() or 0
    everything = passages <= MAX_SCANNED
    wanted = select(v.passage_key, v.episode_key, v.vector).where(v.account_key.in_(of_encoder))
    some: Sequence[Sequence[int] | None] = [None] if everything else list(chunks(found, _MAX_KEYS))
    rows = [
        row
        for keys in some
        for row in conn.execute(wanted if keys is None else wanted.where(v.passage_key.in_(keys))).all()
    ]
    if not rows:
        return None
    keys, episodes, blobs = zip(*rows, strict=True)
    return _compared(keys, episodes, blobs, encoder.encode_question(text), everything=everything)


def _compared(
    keys: Sequence[int], episodes: Sequence[int | None], blobs: Sequence[bytes], asked: bytes, *, everything: bool
) -> Compared:
    import numpy

    matrix = numpy.frombuffer(b"".join(blobs), numpy.int8).reshape(len(blobs), -1).astype(numpy.float32)
    # Whole numbers that a float32 holds exactly: the same wherever, and in whatever order, they are summed.
    products = matrix @ numpy.frombuffer(asked, numpy.int8).astype(numpy.float32)
    episode = numpy.array([-key if of is None else of for key, of in zip(keys, episodes, strict=True)])
    # Of an episode in order: passages of one are written, and so numbered, as they follow each other.
    order = numpy.lexsort((numpy.array(keys), episode))
    key, of, cosines = numpy.array(keys)[order], episode[order], products[order].astype(numpy.float64) / LENGTH**2
    sums, counts = cosines.copy(), numpy.ones(len(of))
    for distance in range(1, min(AROUND, len(of) - 1) + 1):
        same = of[distance:] == of[:-distance]
        for here, there in (
            (slice(distance, None), slice(None, -distance)),
            (slice(None, -distance), slice(distance, None)),
        ):
            sums[here] += same * cosines[there]
            counts[here] += same
    starts = numpy.flatnonzero(numpy.concatenate(([True], of[1:] != of[:-1])))
    best = numpy.repeat(numpy.maximum.reduceat(cosines, starts), numpy.diff(numpy.append(starts, len(of))))
    features = numpy.stack([_standardised(values) for values in (cosines, sums / counts, best)], axis=1)
    nearest: list[int] = key[numpy.lexsort((-key, -(features[:, 0] + features[:, 1])))].tolist() if everything else []
    place = {one: at for at, one in enumerate(key.tolist())}
    return Compared(nearest, place, features, float(cosines.max()))


def _standardised(values: "NDArray[Any]") -> "NDArray[Any]":
    deviation = float(values.std())
    # All alike: what is left of them is rounding.
    return (values - values.mean()) / deviation if deviation > 1e-9 else values * 0.0


def remove(conn: Connection, account_key: int, passage_keys: Sequence[int]) -> None:
    """Delete the vectors of passages that are about to go."""
    of = encoded.c
    gone = conn.execute(delete(vectors).where(v.account_key == account_key, v.passage_key.in_(passage_keys))).rowcount
    if gone:
        conn.execute(update(encoded).where(of.account_key == account_key).values(passages=of.passages - gone))

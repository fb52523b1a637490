"""`as_of` answers what was believed then: remembered, superseded and expired at random, beside a naive model."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from flotilla_memory import schema
from flotilla_memory.records import Memory
from flotilla_memory.retrieval.search import Query, search
from flotilla_memory.writing import forgetting, memories
from flotilla_memory.writing.accounts import lock
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, select
from support.proofs import FULL, SEED

Day = int
ACCOUNT = "cust_1"
DAYS = 30
ATTRIBUTES = (None, "price", "owner")


def moment(day: Day, hour: int = 12) -> str:
    return f"2026-03-{day:02}T{hour:02}:00:00.000+00:00"


@dataclass(frozen=True)
class Say:
    """Remember one of a few texts; `supersedes` are the places of earlier memories in the order they were made."""

    text: int
    attribute: str | None
    valid_from: Day | None
    valid_to: Day | None
    supersedes: tuple[int, ...]


@dataclass(frozen=True)
class Expire:
    """Expire the memory at that place."""

    place: int


days = st.none() | st.integers(1, 12)
says = st.builds(
    Say,
    st.integers(0, 3),
    st.sampled_from(ATTRIBUTES),
    days,
    days,
    st.lists(st.integers(0, 3), max_size=2).map(tuple),
)
steps = st.lists(says | st.builds(Expire, st.integers(0, 3)), min_size=5, max_size=12)


@dataclass
class Believed:
    """A memory in the model; `until` is where its validity ends, as it is known at the moment."""

    say: Say
    until: Day | None
    is_believed: bool = True


@dataclass
class Naive:
    """Remembers by keeping a copy of everything after each day."""

    made: list[Believed] = field(default_factory=list[Believed])
    copies: list[dict[int, Day | None]] = field(default_factory=list[dict[int, Day | None]])

    def remember(self, say: Say, today: Day) -> str:
        replaced = [place for place in dict.fromkeys(say.supersedes) if place < len(self.made)]
        for place, other in enumerate(self.made):
            same = (other.say.text, other.say.attribute) == (say.text, say.attribute)
            if other.is_believed and same and place not in replaced:
                return "duplicate"
        for place, other in enumerate(self.made):
            if other.is_believed and say.attribute == other.say.attribute is not None and place not in replaced:
                begins_in_time = say.valid_to is None or (other.say.valid_from or 0) < say.valid_to
                ends_in_time = say.valid_from is None or other.until is None or other.until > say.valid_from
                if begins_in_time and ends_in_time:
                    return "conflict"
        for place in replaced:
            self.made[place].is_believed = False
        self.made.append(Believed(say, say.valid_to))
        return "created"

    def expire(self, place: int) -> None:
        self.made[place].is_believed = False

    def end_of_day(self) -> None:
        self.copies.append({place: one.until for place, one in enumerate(self.made) if one.is_believed})

    def current(self, day: Day, at: Day) -> set[int]:
        """What, as of the evening of a day, was believed and not over at a moment of it."""
        return {place for place, until in self.copies[day - 1].items() if until is None or until > at}


@contextmanager
def store() -> Generator[tuple[Connection, int]]:
    engine = create_engine("sqlite://")
    with engine.begin() as conn:
        schema.metadata.create_all(conn)
        yield conn, lock(conn, "default", [ACCOUNT])[ACCOUNT]
    engine.dispose()


def remember(conn: Connection, account: int, say: Say, made: Sequence[str], today: Day) -> memories.Remembered:
    memory = Memory(
        ACCOUNT,
        "fact",
        f"thing number {say.text}",
        subject="Acme",
        attribute=say.attribute,
        valid_from=None if say.valid_from is None else moment(say.valid_from),
        valid_to=None if say.valid_to is None else moment(say.valid_to),
        supersedes=tuple(made[place] for place in say.supersedes if place < len(made)),
    )
    return memories.remember(conn, account, memory, moment(today))


def found(conn: Connection, account: int, made: Sequence[str], at: str) -> set[int]:
    """The places of the memories that a search finds as of then."""
    p = schema.passages.c
    ids = {int(key): str(passage_id) for key, passage_id in conn.execute(select(p.passage_key, p.passage_id))}
    hits = search(conn, Query("thing", "default", [account], as_of=at, limit=100), moment(DAYS, 23))
    return {made.index(ids[hit.passage_key]) for hit in hits}


@pytest.mark.prove
@seed(SEED)
@settings(
    max_examples=3_000 if FULL else 40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps)
def test_as_of_answers_what_was_believed_then(taken: Sequence[Say | Expire]) -> None:
    with store() as (conn, account):
        model, made = Naive(), list[str]()
        for today, step in enumerate(taken, 1):
            if isinstance(step, Say):
                done = remember(conn, account, step, made, today)
                assert done.outcome == model.remember(step, today)
                if done.outcome == "created":
                    assert done.memory_id is not None
                    made.append(done.memory_id)
            elif step.place < len(made):
                chosen = forgetting.choose(conn, account, made[step.place], "expire")
                forgetting.expire(conn, chosen, moment(today))
                model.expire(step.place)
            model.end_of_day()
        for day in range(1, len(taken) + 1):
            assert found(conn, account, made, moment(day, 13)) == model.current(day, day), day


def test_a_fact_that_turns_out_to_be_older_does_not_change_what_was_believed_before() -> None:
    """The new price holds since the 5th, but nobody knew before the 20th."""
    with store() as (conn, account):
        old = remember(conn, account, Say(0, "price", None, None, ()), [], 1)
        made = [str(old.memory_id)]
        new = remember(conn, account, Say(1, "price", 5, None, (0,)), made, 20)
        made.append(str(new.memory_id))
        assert found(conn, account, made, moment(10)) == {0}
        assert found(conn, account, made, moment(21)) == {1}

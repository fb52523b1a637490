"""What a search reads, as statements that are compiled once for each shape of a query."""

from collections.abc import Callable, Collection, Mapping
from datetime import date, timedelta
from functools import cache
from typing import Any

from flotilla_kit.storage import PreparedSelect
from sqlalchemy import BigInteger, ColumnElement, Text, and_, bindparam, func, or_, select

from ..schema import accounts, memories, passages, postings
from ..statements import among, listed

a, m, p = accounts.c, memories.c, passages.c


def scope_of(tenant_id: str, account_keys: Collection[int] | None) -> Mapping[str, Any]:
    """The values of the statements' scope: some accounts, or with None all of a tenant."""
    return {"tenant": tenant_id} if account_keys is None else {"accounts": listed(account_keys)}


def _in_scope(account_key: ColumnElement[int], *, everywhere: bool) -> ColumnElement[bool]:
    if everywhere:
        return account_key.in_(select(a.account_key).where(a.tenant_id == bindparam("tenant", type_=Text)))
    return among(account_key, "accounts")


@cache
def totals(everywhere: bool) -> PreparedSelect:
    """Passages and terms that the index has of the accounts."""
    sums = [func.coalesce(func.sum(column, type_=BigInteger), 0) for column in (a.passages, a.terms)]
    return PreparedSelect(select(*sums).where(_in_scope(a.account_key, everywhere=everywhere)))


@cache
def found_in(everywhere: bool) -> PreparedSelect:
    """In how many passages each of the `terms` is, and the term."""
    # By account first, as the index is ordered: SQLite would sort all of the postings to group them by term alone.
    of_accounts = (
        select(postings.c.term, func.count().label("found"))
        .where(_in_scope(postings.c.account_key, everywhere=everywhere), among(postings.c.term, "terms"))
        .group_by(postings.c.account_key, postings.c.term)
        .subquery()
    )
    found = func.sum(of_accounts.c.found, type_=BigInteger)
    return PreparedSelect(select(found, of_accounts.c.term).group_by(of_accounts.c.term))


@cache
def of_terms(everywhere: bool, newest: bool) -> PreparedSelect:
    """The postings of the `terms`; with `newest`, only those of the newest passages, `most` of them."""
    of = postings.c
    statement = select(of.term, of.passage_key, of.count, of.terms).where(
        _in_scope(of.account_key, everywhere=everywhere), among(of.term, "terms")
    )
    if newest:
        statement = statement.order_by(of.passage_key.desc()).limit(bindparam("most"))
    return PreparedSelect(statement)


def _believed(until: Callable[[ColumnElement[str]], ColumnElement[bool]]) -> ColumnElement[bool]:
    return or_(
        and_(p.kind == "turn", until(p.occurred_at)),
        and_(
            until(m.recorded_at),
            or_(m.retired_at.is_(None), ~until(m.retired_at)),
            or_(m.valid_to.is_(None), ~until(m.valid_to)),
        ),
    )


def believed(at: str) -> ColumnElement[bool]:
    """Whether a passage (with its memory, if it is one) was believed, and not yet over, at a time."""
    return _believed(lambda column: through(column, at))


def through(column: ColumnElement[str], time: str) -> ColumnElement[bool]:
    """Whether a time is not after another, or not after that day."""
    end, is_day = end_of(time)
    return column < end if is_day else column <= end


def end_of(time: str) -> tuple[str, bool]:
    """The time, or where it is a day the one after it, and whether it is a day."""
    if len(time) > len("2026-01-31"):
        return time, False
    return (date.fromisoformat(time) + timedelta(days=1)).isoformat(), True


@cache
def passing(everywhere: bool, filters: frozenset[str]) -> PreparedSelect:
    """Of the passages with one of the `keys` those that the filters let through: what was believed `at` a time.

    Args:
        filters: of `since`, `until` and `kinds` those given; and `at_day`, `until_day` where these are days' ends.
    """

    def not_after(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
        end = bindparam(name, type_=Text)
        return column < end if f"{name}_day" in filters else column <= end

    conditions = [
        among(p.passage_key, "keys"),
        _in_scope(p.account_key, everywhere=everywhere),
        _believed(lambda column: not_after(column, "at")),
    ]
    if "since" in filters:
        conditions.append(p.occurred_at >= bindparam("since", type_=Text))
    if "until" in filters:
        conditions.append(not_after(p.occurred_at, "until"))
    if "kinds" in filters:
        conditions.append(among(p.kind, "kinds"))
    return PreparedSelect(
        select(p.passage_key, p.episode_key, p.position, p.speaker, p.text, p.occurred_at, p.terms)
        .select_from(passages.outerjoin(memories, m.passage_key == p.passage_key))
        .where(*conditions)
    )


@cache
def of_episodes() -> PreparedSelect:
    """The passages of the episodes with one of the `keys`, in order, each with its terms."""
    return PreparedSelect(
        select(p.episode_key, p.passage_key, p.terms)
        .where(among(p.episode_key, "keys"))
        .order_by(p.episode_key, p.position)
    )

"""Changes of the memory, each once for its effect: in one transaction with the record of it, or not at all."""

from collections.abc import Callable, Sequence
from typing import Any

from flotilla_kit import approvals, effects, times
from flotilla_kit.effects import Effect, faults
from flotilla_kit.errors import NotFound
from sqlalchemy import Connection

from .records import Episode, Memory, Relation
from .writing import entities, episodes, forgetting, memories
from .writing.accounts import lock, lock_known

Outcome = dict[str, Any]


def remember(
    conn: Connection, effect: Effect, tenant_id: str, memory: Memory, relations: Sequence[Relation]
) -> Outcome:
    """Write a memory and, unless it is in conflict, its relations.

    Returns:
        `{outcome, memory_id, conflicts_with, superseded}`, by ids: no text is in the record of an effect.
    """

    def write(key: int, now: str) -> Outcome:
        done = memories.remember(conn, key, memory, now)
        if done.passage_key is not None:
            for relation in relations:
                entities.relate(conn, key, relation, now, [done.passage_key])
        return {
            "outcome": done.outcome,
            "memory_id": done.memory_id,
            "conflicts_with": list(done.conflicts_with),
            "superseded": list(done.superseded),
        }

    return _written(conn, effect, tenant_id, memory.account_id, write)


def record(conn: Connection, effect: Effect, tenant_id: str, episode: Episode) -> Outcome:
    """Write an episode; `{outcome, episode_id, turns}`."""

    def write(key: int, now: str) -> Outcome:
        episode_id, done = episodes.record(conn, key, episode, now)
        return {"outcome": done, "episode_id": episode_id, "turns": len(episode.turns)}

    return _written(conn, effect, tenant_id, episode.account_id, write)


def _written(
    conn: Connection, effect: Effect, tenant_id: str, account_id: str, write: Callable[[int, str], Outcome]
) -> Outcome:
    """What was written into an account, which is made if it is new; no rule of ours wants an approval of it."""
    key = lock(conn, tenant_id, [account_id])[account_id]
    if (earlier := effects.recorded(conn, effect)) is not None:
        return earlier
    effect = approvals.require(conn, effect, needed=False, facts={"account_id": account_id})
    faults.point("consuming")
    outcome = write(key, times.now())
    effects.record(conn, effect, outcome)
    return outcome


def preview(conn: Connection, effect: Effect, account_key: int | None, target: str, mode: str) -> Outcome:
    """What forgetting would do, in counts, of an account that may not be there.

    Raises:
        IdempotencyMismatch: the key was used with other arguments.
    """
    if (earlier := effects.recorded(conn, effect)) is not None:
        return earlier
    chosen = forgetting.choose(conn, _existing(account_key), target, mode)
    return forgetting.count(conn, chosen, mode, dry_run=True).model_dump()


def forget(
    conn: Connection, effect: Effect, tenant_id: str, account_id: str, target: str, mode: str, *, dry_run: bool
) -> Outcome:
    """Expire or erase, and the counts of it; a dry run only counts. Erasing waits for a person."""
    known = lock_known(conn, tenant_id, account_id)
    if (earlier := effects.recorded(conn, effect)) is not None:
        return earlier
    key, now = _existing(known), times.now()
    chosen = forgetting.choose(conn, key, target, mode)
    outcome = forgetting.count(conn, chosen, mode, dry_run=dry_run, at=None if dry_run else now).model_dump()
    facts = {name: value for name, value in outcome.items() if name not in ("dry_run", "forgotten_at")}
    needed = mode == "erase" and not dry_run
    effect = approvals.require(conn, effect, needed=needed, facts={"account_id": account_id, "target": target, **facts})
    faults.point("consuming")
    if not dry_run:
        if mode == "erase":
            forgetting.erase(conn, key, chosen)
        else:
            forgetting.expire(conn, chosen, now)
    effects.record(conn, effect, outcome)
    return outcome


def _existing(account_key: int | None) -> int:
    if account_key is None:
        raise NotFound("There is nothing with that id.", suggestion="Pass an id as search answers have it.")
    return account_key

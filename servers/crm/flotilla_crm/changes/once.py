"""What every change does: check, be cleared, take effect, and record its outcome."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flotilla_kit import approvals, effects
from flotilla_kit.effects import Effect, faults
from flotilla_kit.errors import FlotillaError, InvalidArguments, NotFound
from sqlalchemy import Connection, select

from ..access import Access
from ..errors import FieldNotAllowed, VersionConflict
from ..records import ACCOUNT, RecordType, Type
from ..schema import users
from ..writing import history, rows
from ..writing.history import Origin
from ..writing.rows import State

Outcome = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One call that changes something: who makes it, with what access, and why."""

    access: Access
    effect: Effect
    reason: str | None = None
    approval: bool = True
    """Whether the server's rule wants a person to approve it."""

    def take_effect(
        self,
        conn: Connection,
        facts: Mapping[str, Any],
        write: Callable[[Origin], Outcome],
        problem: FlotillaError | None = None,
        of: tuple[RecordType, str] | None = None,
    ) -> Outcome:
        """Make it happen if nothing is wrong with it and, where needed, a person approved it.

        Args:
            problem: why it cannot happen. If this very call is what made it so, the caller hears of their approval
                instead: that it was used.
            of: type and id of the record that this call would have changed then.
        """
        if problem and not (of and history.made(conn, self.effect, *of)):
            raise problem
        effect = approvals.require(conn, self.effect, needed=self.approval, facts=facts)
        if problem:
            raise problem
        faults.point("consuming")
        outcome = write(Origin.of(effect, self.reason))
        effects.record(conn, effect, outcome)
        return outcome


def missing(kind: RecordType) -> NotFound:
    """There is no such record, or none for the caller."""
    return NotFound(f"There is no {kind} with that id.", suggestion="Pass an id as this server's answers have it.")


def locked(conn: Connection, access: Access, kind: Type, record_id: str) -> State:
    """A record of the caller's, locked.

    Raises:
        NotFound: it is not there, not theirs, or was merged into another.
    """
    state = rows.lock(conn, kind, record_id)
    if state is None or not access.sees(state["account_id"]):
        raise missing(kind.name)
    if (winner := state.get("merged_into")) is not None:
        raise NotFound(
            "That contact was merged into another.",
            suggestion="Use the other one.",
            details={"merged_into": winner},
        )
    return state


def lock_account(conn: Connection, access: Access, account_id: str | None) -> State | None:
    """The account that a new record belongs to. Raises `NotFound`."""
    return None if account_id is None else locked(conn, access, ACCOUNT, account_id)


def check_writable(access: Access, kind: RecordType, names: Collection[str]) -> None:
    """Raises `FieldNotAllowed`."""
    if refused := access.unwritable(kind, [name for name in names if name != "account_id"]):
        raise FieldNotAllowed(
            f"These fields of a {kind} cannot be written here: {', '.join(refused)}.",
            suggestion="Leave them out; nothing was done.",
            details={"fields": refused},
        )


def check_user(conn: Connection, user_id: object) -> None:
    """Raises `InvalidArguments` if somebody is to own a record who is no user."""
    if user_id is not None and conn.execute(select(users.c.user_id).where(users.c.user_id == user_id)).first() is None:
        raise InvalidArguments("owner_id is no user's id.", suggestion="get_user_info finds users by id or e-mail.")


def stale(
    conn: Connection, access: Access, kind: Type, state: State, version: int, given: Mapping[str, Any]
) -> VersionConflict | None:
    """The conflict of a change that was made for another version of the record, if it was."""
    current = int(state["version"])
    if current == version:
        return None
    changed = history.since(conn, kind.name, state[kind.id], version)
    seen = [row for row in changed if access.may_read(kind.name, row.field) or row.field not in kind.by_name]
    clashing = [
        {
            "field": row.field,
            "yours": given[row.field],
            "current": history.read_value(row.new),
            "changed_by": row.actor,
            "changed_at": row.at,
            "version": row.version,
        }
        for row in seen
        if row.field in given
    ]
    others = [row.field for row in seen if row.field not in given]
    return VersionConflict(
        f"The {kind.name} is at version {current}, and the change was made for version {version}.",
        suggestion="Read it again, decide anew about the clashing fields, and pass the current version."
        if clashing
        else "None of your fields was changed; read it again and pass the current version.",
        details={"current_version": current, "clashing": clashing, "also_changed": others},
    )


def facts_of(kind: Type, state: State, access: Access, given: Collection[str]) -> dict[str, Any]:
    """What a person needs to decide: which record, and what the fields to be changed are now."""
    current = {name: state[name] for name in given if access.may_read(kind.name, name)}
    names = [name for name in ("name", "first_name", "last_name", "email") if name in kind.by_name]
    called = {name: state[name] for name in names if state[name] is not None and access.may_read(kind.name, name)}
    return {kind.id: state[kind.id], "account_id": state["account_id"], kind.name: called, "current": current}

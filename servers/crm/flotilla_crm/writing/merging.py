"""A merge: the winner's empty fields are filled from the loser, which is then found no more."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from ..records import ACTIVITY, CONTACT
from ..schema import activities, merges
from . import history, rows
from .deals import replace_contact
from .history import FieldChange, Origin
from .rows import State

a = activities.c
_MOVE = (
    update(activities)
    .where(a.activity_id == bindparam("id"))
    .values(contact_id=bindparam("winner"), version=bindparam("to"), updated_at=bindparam("at"))
)


@dataclass(frozen=True)
class Merged:
    """What a merge did: the winner's version then, the fields it got, how many activities and deals it took over."""

    version: int
    filled: dict[str, Any]
    activities: int
    deals: int


def fillable(winner: State, loser: State) -> dict[str, Any]:
    """The fields that the winner lacks and the loser has."""
    return {
        name: loser[name]
        for name, field in CONTACT.by_name.items()
        if not field.fixed and winner[name] is None and loser[name] is not None
    }


def merge(conn: Connection, winner: State, loser: State, origin: Origin) -> Merged:
    """Merge two locked contacts of one account."""
    filled = fillable(winner, loser)
    # The loser first: its address is nobody's while the winner takes it.
    rows.change(conn, CONTACT, loser, {"merged_into": winner["contact_id"]}, origin)
    version = rows.change(conn, CONTACT, winner, filled, origin)
    moved = _move_activities(conn, str(loser["contact_id"]), str(winner["contact_id"]), origin)
    in_deals = replace_contact(conn, str(loser["contact_id"]), str(winner["contact_id"]), origin)
    conn.execute(
        insert(merges).values(
            loser_id=loser["contact_id"],
            winner_id=winner["contact_id"],
            account_id=winner["account_id"],
            at=origin.at,
            actor=origin.actor,
        )
    )
    return Merged(version, filled, moved, in_deals)


def _move_activities(conn: Connection, loser_id: str, winner_id: str, origin: Origin) -> int:
    found = select(a.activity_id, a.account_id, a.version).where(a.contact_id == loser_id).order_by(a.activity_id)
    moved = conn.execute(found.with_for_update()).all()
    if moved:
        given = [{"id": row.activity_id, "winner": winner_id, "to": row.version + 1, "at": origin.at} for row in moved]
        conn.execute(_MOVE, given)
        history.write(
            conn,
            (
                FieldChange(
                    ACTIVITY.name, row.activity_id, row.account_id, row.version + 1, "contact_id", loser_id, winner_id
                )
                for row in moved
            ),
            origin,
        )
    return len(moved)

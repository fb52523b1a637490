"""What a deal has beside its fields: the stages of its pipeline, and its contacts with their roles."""

from collections.abc import Mapping, Sequence
from typing import Any

from flotilla_kit.errors import InvalidArguments
from sqlalchemy import Connection, insert, select, update

from ..records import DEAL
from ..schema import deal_contacts, deals, stages
from . import history
from .history import FieldChange, Origin

s, dc = stages.c, deal_contacts.c
CONTACTS = "contacts"
"""The name of a deal's contacts in its history."""
Roles = Sequence[Mapping[str, Any]]
"""`{contact_id, role}` of each contact of a deal, by id."""


def stages_of(conn: Connection, pipeline_id: str) -> dict[str, str]:
    """The stages of a pipeline in order, to open, won or lost; empty if there is no such pipeline."""
    found = select(s.stage, s.kind).where(s.pipeline_id == pipeline_id).order_by(s.position)
    return {str(stage): str(kind) for stage, kind in conn.execute(found)}


def stage_kind(conn: Connection, pipeline_id: str, stage: str) -> str:
    """Whether a stage is open, won or lost.

    Raises:
        InvalidArguments: the pipeline has no such stage.
    """
    known = stages_of(conn, pipeline_id)
    if stage not in known:
        if not known:
            raise InvalidArguments("There is no such pipeline.", suggestion="Leave it out for sales, or pass renewals.")
        raise InvalidArguments(
            f"stage is none of the pipeline's: {', '.join(known)}.", suggestion="Pass one of them as it is written."
        )
    return known[stage]


def roles_of(conn: Connection, deal_id: str) -> list[dict[str, Any]]:
    """A deal's contacts with their roles."""
    found = select(dc.contact_id, dc.role).where(dc.deal_id == deal_id).order_by(dc.contact_id)
    return [dict(row) for row in conn.execute(found).mappings()]


def add_first_contacts(conn: Connection, deal: Mapping[str, Any], roles: Roles, origin: Origin) -> None:
    """Write the contacts that a new deal begins with."""
    if not roles:
        return
    conn.execute(insert(deal_contacts), [{"deal_id": deal["deal_id"], **role} for role in roles])
    history.write(
        conn, [FieldChange("deal", deal["deal_id"], deal["account_id"], 1, CONTACTS, None, list(roles))], origin
    )


def replace_contact(conn: Connection, loser_id: str, winner_id: str, origin: Origin) -> int:
    """Put one contact in another's place in every deal; in how many."""
    of_loser = select(dc.deal_id, dc.role).where(dc.contact_id == loser_id).order_by(dc.deal_id)
    rows = conn.execute(of_loser).all()
    for row in rows:
        deal = conn.execute(select(deals).where(deals.c.deal_id == row.deal_id).with_for_update()).mappings().one()
        before = roles_of(conn, row.deal_id)
        conn.execute(deal_contacts.delete().where(dc.deal_id == row.deal_id, dc.contact_id == loser_id))
        if winner_id not in [role["contact_id"] for role in before]:
            conn.execute(insert(deal_contacts).values(deal_id=row.deal_id, contact_id=winner_id, role=row.role))
        version = int(deal["version"]) + 1
        touched = update(DEAL.table).where(deals.c.deal_id == row.deal_id)
        conn.execute(touched.values(version=version, updated_at=origin.at))
        after = roles_of(conn, row.deal_id)
        changed = FieldChange("deal", row.deal_id, deal["account_id"], version, CONTACTS, before, after)
        history.write(conn, [changed], origin)
    return len(rows)

"""Changes of contacts: made, changed, merged."""

from collections.abc import Mapping
from typing import Any

from flotilla_kit import effects
from flotilla_kit.errors import Conflict, FlotillaError, InvalidArguments
from sqlalchemy import Connection

from ..access import Access
from ..errors import DuplicateContact
from ..records import CONTACT
from ..values import Value
from ..writing import duplicates, ids, merging, rows
from ..writing.history import Origin
from ..writing.rows import State
from . import once
from .once import Change, Outcome

MOST_SIMILAR = 5  # that a warning names


def create(conn: Connection, change: Change, given: Mapping[str, Value]) -> Outcome:
    """Write a new contact; `{contact_id, account_id, version, warnings}`.

    Raises:
        DuplicateContact: a contact of the caller's has that e-mail address.
    """
    access = change.access
    if given.get("email"):
        duplicates.lock_email(conn, str(given["email"]))
    account = once.lock_account(conn, access, _text(given.get("account_id")))
    if (earlier := effects.recorded(conn, change.effect)) is not None:
        return earlier
    once.check_user(conn, given.get("owner_id"))
    if not (given.get("last_name") or given.get("first_name") or given.get("email")):
        raise InvalidArguments("A contact needs a name or an e-mail address.", suggestion="Pass last_name or email.")
    problem, known = _blocked(conn, access, given)
    warnings = _warnings(conn, access, given)
    facts = {"account_id": given.get("account_id"), "account_name": account["name"] if account else None}
    contact_id = ids.new(CONTACT.prefix)

    def write(origin: Origin) -> Outcome:
        rows.create(conn, CONTACT, [{"contact_id": contact_id, "status": "active", **_set(given)}], origin)
        return {
            "contact_id": contact_id,
            "account_id": given.get("account_id"),
            "version": 1,
            "warnings": warnings,
        }

    return change.take_effect(
        conn, {**facts, "similar": warnings}, write, problem, ("contact", known) if known else None
    )


def update(conn: Connection, change: Change, contact_id: str, version: int, given: Mapping[str, Value]) -> Outcome:
    """Change a contact; `{contact_id, account_id, version, changed, warnings}`.

    Raises:
        VersionConflict: it is not at that version.
        DuplicateContact: another contact of the caller's has the new e-mail address.
    """
    access = change.access
    if given.get("email"):
        duplicates.lock_email(conn, str(given["email"]))
    state = once.locked(conn, access, CONTACT, contact_id)
    if (earlier := effects.recorded(conn, change.effect)) is not None:
        return earlier
    once.check_user(conn, given.get("owner_id"))
    problem: FlotillaError | None = once.stale(conn, access, CONTACT, state, version, given)
    changed = rows.changed_fields(CONTACT, state, given)
    if problem is None:
        problem, _ = _blocked(conn, access, changed, but=contact_id)
    if problem is None and not changed:
        problem = InvalidArguments("The contact is like that already.", suggestion="Nothing needs to be done.")
    touches = {"email", "phone", "first_name", "last_name"} & set(changed)
    warnings = _warnings(conn, access, {**state, **given}, but=contact_id) if touches else []

    def write(origin: Origin) -> Outcome:
        now = rows.change(conn, CONTACT, state, given, origin)
        return {
            "contact_id": contact_id,
            "account_id": state["account_id"],
            "version": now,
            "changed": sorted(changed),
            "warnings": warnings,
        }

    facts = once.facts_of(CONTACT, state, access, given)
    return change.take_effect(conn, {**facts, "similar": warnings}, write, problem, ("contact", contact_id))


def merge(
    conn: Connection, change: Change, winner_id: str, loser_id: str, winner_version: int, loser_version: int
) -> Outcome:
    """Merge one contact into another of the same account; what it filled and took over.

    Raises:
        VersionConflict: one of them is not at that version.
        Conflict: they are of different accounts.
    """
    access = change.access
    if winner_id == loser_id:
        raise InvalidArguments("A contact cannot be merged into itself.", suggestion="Pass two contacts.")
    # In one order, so that two merges never wait for each other.
    states = {one: rows.lock(conn, CONTACT, one) for one in sorted((winner_id, loser_id))}
    winner, loser = states[winner_id], states[loser_id]
    if winner is None or loser is None or not all(access.sees(state["account_id"]) for state in (winner, loser)):
        raise once.missing("contact")
    if (earlier := effects.recorded(conn, change.effect)) is not None:
        return earlier
    problem: FlotillaError | None = None
    for state, version in ((winner, winner_version), (loser, loser_version)):
        if state["merged_into"] is not None:
            problem = problem or Conflict(
                "One of them was merged before.", details={"merged_into": state["merged_into"]}
            )
        problem = problem or once.stale(conn, access, CONTACT, state, version, {})
    if problem is None and loser["account_id"] not in (None, winner["account_id"]):
        problem = Conflict("They are contacts of different accounts.", suggestion="Merge contacts of one account.")
    filled = merging.fillable(winner, loser)
    once.check_writable(access, "contact", filled)

    def write(origin: Origin) -> Outcome:
        done = merging.merge(conn, winner, loser, origin)
        return {
            "contact_id": winner_id,
            "account_id": winner["account_id"],
            "version": done.version,
            "changed": sorted(done.filled),
            "merged": loser_id,
            "moved_activities": done.activities,
            "moved_deals": done.deals,
        }

    facts: dict[str, Any] = {
        "winner": _shown(access, winner),
        "loser": _shown(access, loser),
        "fills": {name: value for name, value in filled.items() if access.may_read("contact", name)},
        "account_id": winner["account_id"],
    }
    return change.take_effect(conn, facts, write, problem, ("contact", loser_id))


def _blocked(
    conn: Connection, access: Access, given: Mapping[str, Any], but: str = ""
) -> tuple[FlotillaError | None, str | None]:
    """Why an e-mail address cannot be given, and whose it is."""
    known = duplicates.with_email(conn, access, str(given["email"]), but) if given.get("email") else None
    if known is None:
        return None, None
    refusal = DuplicateContact(
        "There is a contact with that e-mail address.",
        suggestion="Update that one, or merge the two.",
        details={"contact_id": known},
    )
    return refusal, known


def _warnings(conn: Connection, access: Access, person: Mapping[str, Any], but: str = "") -> list[dict[str, Any]]:
    if not access.may_read("contact", "email", "phone", "first_name", "last_name"):
        return []
    found = duplicates.like(conn, access, person, but)
    return [
        {
            "contact_id": pair.second["contact_id"],
            "name": f"{pair.second['first_name'] or ''} {pair.second['last_name'] or ''}".strip(),
            "why": list(pair.reasons),
        }
        for pair in found[:MOST_SIMILAR]
    ]


def _shown(access: Access, state: State) -> dict[str, Any]:
    names = ("first_name", "last_name", "email", "phone", "title")
    readable = {name: state[name] for name in names if access.may_read("contact", name)}
    return {"contact_id": state["contact_id"], **readable}


def _set(given: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in given.items() if value is not None}


def _text(value: Value) -> str | None:
    return None if value is None else str(value)

"""A new activity: a call, e-mail, meeting, task, ticket or note."""

from collections.abc import Mapping
from typing import Any

from flotilla_kit import effects, times
from sqlalchemy import Connection

from ..records import ACTIVITY, CONTACT, DEAL, Type
from ..values import Value
from ..writing import ids, rows
from ..writing.history import Origin
from . import once
from .once import Change, Outcome


def log(conn: Connection, change: Change, given: Mapping[str, Value]) -> Outcome:
    """Write a new activity, by default of now; `{activity_id, account_id, version, occurred_at}`.

    Raises:
        NotFound: the account, or a contact or deal of it, is not there.
    """
    access = change.access
    account = once.lock_account(conn, access, str(given["account_id"]))
    if (earlier := effects.recorded(conn, change.effect)) is not None:
        return earlier
    once.check_user(conn, given.get("owner_id"))
    named: dict[str, Any] = {}
    about: tuple[Type, ...] = (CONTACT, DEAL)
    for kind in about:
        if (record_id := given.get(kind.id)) is not None:
            state = once.locked(conn, access, kind, str(record_id))
            if state["account_id"] != given["account_id"]:
                raise once.missing(kind.name)
            name = "email" if kind is CONTACT else "name"
            named[f"{kind.name}_{name}"] = state[name] if access.may_read(kind.name, name) else None
    activity_id = ids.new(ACTIVITY.prefix)
    occurred_at = given.get("occurred_at") or times.now()

    def write(origin: Origin) -> Outcome:
        values = {**given, "activity_id": activity_id, "occurred_at": occurred_at}
        rows.create(conn, ACTIVITY, [values], origin)
        return {
            "activity_id": activity_id,
            "account_id": given["account_id"],
            "version": 1,
            "occurred_at": occurred_at,
        }

    account_name = account["name"] if account and access.may_read("account", "name") else None
    return change.take_effect(conn, {"account_id": given["account_id"], "account_name": account_name, **named}, write)

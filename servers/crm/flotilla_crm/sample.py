"""The sample company's CRM, for `--demo-data`: its history, line by line, as it came to be what it is.

A line is `{at, actor, type, id, set}`: the first of an id makes the record, every other changes it. The accounts are
customers of billing's sample and of memory's, by the same ids, names and addresses; among them are a quiet champion
(cust_61037), a slipped renewal (cust_20417), an overdue payer (cust_61518), a duplicate contact (cust_61185), and one
that is simply fine (cust_12345).
"""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, exists, insert, select, text

from .records import DEAL, TYPES
from .schema import accounts, users
from .values import stored
from .words import fold
from .writing import rows
from .writing.deals import stage_kind
from .writing.history import Origin

SAMPLE = Path(__file__).parent / "demo" / "company.jsonl"


def is_empty(conn: Connection) -> bool:
    """Whether there is no account."""
    return not conn.execute(select(exists().select_from(accounts))).scalar_one()


def load(conn: Connection) -> None:
    """Write the sample into an empty store; another process that was faster has done it."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("LOCK TABLE accounts IN EXCLUSIVE MODE"))
    if not is_empty(conn):
        return
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        said: dict[str, Any] = json.loads(line)
        if said["type"] == "user":
            user = said["set"]
            conn.execute(insert(users).values(**user, name_folded=fold(user["name"])))
        else:
            _write(conn, said)


def _write(conn: Connection, said: dict[str, Any]) -> None:
    kind = TYPES[said["type"]]
    given, origin = stored(kind, said["set"]), Origin(said["actor"], said["at"])
    state = rows.lock(conn, kind, said["id"])
    columns = {}
    if kind is DEAL and "stage" in given:
        pipeline = given.get("pipeline_id") or (state or {})["pipeline_id"]
        columns = {"stage_kind": stage_kind(conn, str(pipeline), str(given["stage"]))}
    if state is None:
        rows.create(conn, kind, [{kind.id: said["id"], **given, **columns}], origin)
    else:
        rows.change(conn, kind, state, given, origin, **columns)

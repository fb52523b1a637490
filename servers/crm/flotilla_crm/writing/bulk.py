"""The bulk write of imports: records that are new are made, those that are known get what the file says of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flotilla_kit.storage.statements import chunks
from sqlalchemy import Connection, insert, select, text

from ..records import ACCOUNT, ACTIVITY, DEAL, DEFAULT_PIPELINE, Type
from ..schema import accounts, activities, contacts, deals, stages, users
from ..values import Value, email_key
from ..words import fold
from . import ids, rows
from .deals import stages_of
from .history import Origin

Given = dict[str, Value]
"""What a row says of a record, and by name whose it is: `account_name`, `contact_email`."""


class BadRecord(ValueError):
    """Why a record cannot be written: `field` and `value` that are at fault, and the problem in words without it."""

    def __init__(self, field: str, value: object, problem: str) -> None:
        super().__init__(problem)
        self.field, self.value, self.problem = field, str(value), problem


@dataclass
class Written:
    """How many records a write added, changed and knew, which were refused and why, and the stages that it made."""

    added: int = 0
    changed: int = 0
    known: int = 0
    refused: dict[int, BadRecord] = field(default_factory=dict[int, BadRecord])
    """By the position of the record."""
    stages: int = 0


class Writer:
    """Writes records of one type in the caller's transaction, which nobody else's writes of them come between."""

    def __init__(self, conn: Connection, kind: Type, origin: Origin, *, new_stages: bool = False) -> None:
        self._conn, self._kind, self._origin, self._new_stages = conn, kind, origin, new_stages
        self._users: dict[str, str | None] = {}
        self._accounts: dict[str, list[str]] = {}
        self._stages: dict[str, dict[str, str]] = {}
        if conn.dialect.name == "postgresql":
            conn.execute(text(f"LOCK TABLE {kind.table.name} IN SHARE ROW EXCLUSIVE MODE"))

    def write(self, given: Sequence[Given]) -> Written:
        """Write records. Those that are refused are not written; the caller's transaction should not be kept then."""
        written = Written()
        resolved: dict[int, dict[str, Any]] = {}
        for number, record in enumerate(given):
            try:
                resolved[number] = self._resolved(record, written)
            except BadRecord as bad:
                written.refused[number] = bad
        known = self._known(list(resolved.values()))
        new: dict[str, tuple[int, dict[str, Any]]] = {}
        for number, record in resolved.items():
            keys = list(_keys(self._kind, record))
            state = next((known[key] for key in keys if key in known), None)
            if state is None:
                twice = next((key for key in keys if key in new), None)
                if twice is not None:
                    written.refused[number] = BadRecord(self._kind.id, twice, "is there twice")
                    continue
                record = {self._kind.id: record.get(self._kind.id) or ids.new(self._kind.prefix), **record}
                new.update(dict.fromkeys(keys, (number, record)))
                written.added += 1
            elif self._changed(state, record):
                written.changed += 1
            else:
                written.known += 1
        fresh = list({id(record): record for _, record in new.values()}.values())
        if fresh:
            rows.create(self._conn, self._kind, fresh, self._origin)
        return written

    def _changed(self, state: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
        """Write what a row says of a known record; whether that was new."""
        if state.get("merged_into") is not None:
            return False
        given = {name: value for name, value in record.items() if value is not None and name in self._kind.by_name}
        given = {name: value for name, value in given.items() if not self._kind.by_name[name].fixed}
        columns = {"stage_kind": record["stage_kind"]} if "stage_kind" in record else {}
        return rows.change(self._conn, self._kind, state, given, self._origin, **columns) != state["version"]

    def _resolved(self, record: Given, written: Written) -> dict[str, Any]:
        """A record with ids in place of names."""
        found: dict[str, Any] = {
            name: value for name, value in record.items() if name in self._kind.by_name or name == self._kind.id
        }
        if "owner_id" in found:
            found["owner_id"] = self._owner(str(found["owner_id"]))
        if self._kind is not ACCOUNT:
            found["account_id"] = self._account(record)
        if self._kind is DEAL:
            found |= self._stage(record, written)
        if self._kind is ACTIVITY:
            found["contact_id"] = self._contact(record, str(found["account_id"]))
        if self._kind.name in ("deal", "activity") and found["account_id"] is None:
            raise BadRecord("account_id", "", "says no account; account_id or account_name must")
        return found

    def _owner(self, said: str) -> str:
        """The user of that id, e-mail address or name, made if there is none."""
        if said not in self._users:
            u = users.c
            same = (u.user_id == said) | (u.email == said.lower()) | (u.name_folded == fold(said))
            self._users[said] = self._conn.execute(select(u.user_id).where(same).order_by(u.user_id)).scalar()
        if (known := self._users[said]) is None:
            address = said.lower() if "@" in said else None
            known = self._users[said] = ids.new("usr")
            values = {"user_id": known, "name": said, "email": address, "name_folded": fold(said)}
            self._conn.execute(insert(users).values(values))
        return known

    def _account(self, record: Given) -> str | None:
        a = accounts.c
        by_id, by_name = record.get("account_id"), record.get("account_name")
        said = str(by_id if by_id is not None else by_name)
        if by_id is None and by_name is None:
            return None
        key = f"id {said}" if by_id is not None else f"name {fold(said)}"
        if key not in self._accounts:
            wanted = a.account_id == said if by_id is not None else a.name_folded == fold(said)
            self._accounts[key] = list(self._conn.execute(select(a.account_id).where(wanted).limit(2)).scalars())
        found = self._accounts[key]
        if len(found) != 1:
            column = "account_id" if by_id is not None else "account_name"
            raise BadRecord(column, said, "is no account; import accounts first" if not found else "are two accounts")
        return found[0]

    def _contact(self, record: Given, account_id: str) -> str | None:
        c = contacts.c
        if record.get("contact_id") is not None:
            wanted = c.contact_id == record["contact_id"]
        elif record.get("contact_email") is not None:
            wanted = (c.email_key == email_key(str(record["contact_email"]))) & (c.account_id == account_id)
        else:
            return None
        found = self._conn.execute(select(c.contact_id).where(wanted, c.account_id == account_id).limit(1)).scalar()
        if found is None:
            column = "contact_id" if record.get("contact_id") is not None else "contact_email"
            raise BadRecord(column, record[column], "is no contact of that account; import contacts first")
        return str(found)

    def _stage(self, record: Given, written: Written) -> dict[str, Any]:
        pipeline = str(record.get("pipeline_id") or DEFAULT_PIPELINE)
        if pipeline not in self._stages:
            self._stages[pipeline] = stages_of(self._conn, pipeline)
        known, stage = self._stages[pipeline], str(record["stage"])
        if not known:
            raise BadRecord("pipeline_id", pipeline, "is no pipeline")
        same = next((name for name in known if fold(name) == fold(stage)), None)
        if same is None:
            if not self._new_stages:
                names = ", ".join(known)
                raise BadRecord("stage", stage, f"is no stage ({names}); --new-stages yes adds it")
            kind = "won" if "won" in fold(stage) else "lost" if "lost" in fold(stage) else "open"
            position = len(known) + 1
            values = {"pipeline_id": pipeline, "stage": stage, "position": position, "kind": kind}
            self._conn.execute(insert(stages).values(values))
            known[stage] = kind
            written.stages += 1
            same = stage
        return {"pipeline_id": pipeline, "stage": same, "stage_kind": known[same]}

    def _known(self, given: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """Records that are there already, by their keys."""
        table, by_id = self._kind.table, self._kind.table.c[self._kind.id]
        found: dict[str, Mapping[str, Any]] = {}
        wanted = {str(record[self._kind.id]) for record in given if record.get(self._kind.id)}
        for column, values in ((by_id, wanted), *_other_columns(self._kind, given)):
            for some in chunks(sorted(values)):
                for row in self._conn.execute(select(table).where(column.in_(some)).order_by(by_id)).mappings():
                    state = dict(row)
                    for key in _keys(self._kind, state):
                        found.setdefault(key, state)
        return found


def _other_columns(kind: Type, given: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, set[str]]]:
    """By what a record is known that has no id: columns, and the values to look for."""
    match kind.name:
        case "contact":
            yield contacts.c.email_key, {email_key(record["email"]) for record in given if record.get("email")}
        case "account":
            yield accounts.c.name_folded, {fold(record["name"]) for record in given if record.get("name")}
        case "deal":
            yield deals.c.name_folded, {fold(record["name"]) for record in given if record.get("name")}
        case _:
            yield activities.c.account_id, {record["account_id"] for record in given if not record.get("activity_id")}


def _keys(kind: Type, record: Mapping[str, Any]) -> Iterator[str]:
    """What a record is known by: its id, and in its account or anywhere what only it has."""
    if record.get(kind.id):
        yield f"id {record[kind.id]}"
    match kind.name:
        case "contact" if record.get("email"):
            yield f"email {email_key(record['email'])}"
        case "account" if record.get("name"):
            yield f"name {fold(record['name'])}"
        case "deal":
            yield f"name {record['account_id']} {fold(record['name'])}"
        case "activity":
            said = (record["account_id"], record["kind"], record["occurred_at"], record.get("subject"))
            yield f"said {said} {record.get('body')}"
        case _:
            pass

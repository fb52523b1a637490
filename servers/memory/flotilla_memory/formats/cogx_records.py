"""Records of a COGX archive as ours; `cogx` says how they correspond."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from flotilla_kit.imports import BadRow

from ..records import Entity, Episode, Memory, MemoryKind, Record, Relation, Turn
from . import record_json, values
from .mem0 import external_id, kind_among
from .values import Given, Object

OURS = "flotilla"
"""The key of `metadata` under which a record of ours stands whole."""


@dataclass
class Graph:
    """What the ids of an archive's graph stand for."""

    exported_at: str | None = None
    names: dict[str, str] = field(default_factory=dict[str, str])  # of entities
    types: dict[str, str] = field(default_factory=dict[str, str])  # of the nodes that are types
    type_of: dict[str, str] = field(default_factory=dict[str, str])  # of entities, by name

    def entity(self, reference: object) -> str | None:
        """The entity that a fact refers to by id, or by name; None where it is another node."""
        known = self.names.get(str(reference))
        return known or (None if not isinstance(reference, str) or _is_uuid(reference) else reference)


@dataclass(frozen=True)
class Item:
    """A record of an archive, and what it needs to be understood."""

    kind: str
    given: Given
    graph: Graph


def check(item: Item) -> tuple[Record, ...]:
    """A record of an archive as ours; none of what only repeats another.

    Raises:
        BadRow: it lacks what it needs.
    """
    row = item.given.values
    if ours := values.mapping(values.mapping(row.get("metadata")).get(OURS)):
        return (_our_own(item, ours),)
    return _CHECKS[item.kind](item, row)


def _our_own(item: Item, ours: Object) -> Record:
    row, account = item.given.values, item.given.account
    whole = {**ours, **({"account_id": account} if account is not None else {})}
    if whole.get("record") == "memory":
        whole["text"] = row.get("content")
    if whole.get("record") == "episode":
        whole["turns"] = [
            {"speaker": turn.get("role") or None, "text": turn.get("content"), "occurred_at": turn.get("occurred_at")}
            for turn in values.objects(row.get("turns"), "turns")
        ]
    return record_json.load(whole)


def _document(item: Item, row: Object) -> tuple[Record, ...]:
    content = values.text(row.get("content"), "content")
    more = _more(row)
    turns = [*values.passages(content), *([more] if more else [])]
    return (_episode(item, row, "note", tuple(Turn(None, text) for text in turns)),)


def _conversation(item: Item, row: Object) -> tuple[Record, ...]:
    turns = tuple(
        Turn(
            values.optional_name(turn.get("role"), "role"),
            values.text(turn["content"], "content"),
            values.instant(turn.get("occurred_at"), "occurred_at"),
        )
        for turn in values.objects(row.get("turns"), "turns")
        if turn.get("content")
    )
    if not turns:
        raise BadRow("none of its turns has a content", column="turns")
    return (_episode(item, row, "chat", turns),)


def _episode(item: Item, row: Object, channel: str, turns: tuple[Turn, ...]) -> Episode:
    times = (*(turn.occurred_at for turn in turns), values.instant(row.get("created_at"), "created_at"))
    occurred_at = next((time for time in (*times, item.graph.exported_at) if time), None)
    if occurred_at is None:
        raise BadRow("it has no time, nor has the archive", column="created_at")
    return Episode(
        _account(item, row),
        channel,
        occurred_at,
        turns,
        values.optional_name(row.get("title"), "title"),
        _external_id(row),
    )


def _entity(item: Item, row: Object) -> tuple[Record, ...]:
    account, called = _account(item, row), values.name(values.text(row.get("name"), "name"), "name")
    given_type = values.optional_name(row.get("entity_type"), "entity_type")
    aliases = tuple(values.name(alias, "aliases") for alias in values.texts(row.get("aliases"), "aliases"))
    type_ = given_type or item.graph.type_of.get(str(row.get("external_id")))
    entity = Entity(account, called, type_, tuple(alias for alias in aliases if alias))
    description = row.get("description")
    said = [values.clean(description)] if isinstance(description, str) and description.strip() else []
    if more := values.details(values.mapping(row.get("attributes"))):
        said.append(more)
    if not said:
        return (entity,)
    created = values.instant(row.get("created_at"), "created_at")
    about = _external_id(row)
    return (
        entity,
        Memory(
            account,
            "fact",
            "\n".join(said),
            subject=called,
            occurred_at=created,
            recorded_at=created,
            external_id=f"{about}#description" if about else None,
        ),
    )


def _memory(item: Item, row: Object) -> tuple[Record, ...]:
    categories = values.texts(row.get("categories"), "categories")
    said, more = values.text(row.get("content"), "content"), _more(row, categories=categories)
    kind, _ = kind_among(categories)
    return (_statement(item, row, kind, f"{said}\n{more}" if more else said),)


def _block(item: Item, row: Object) -> tuple[Record, ...]:
    label = values.optional_name(row.get("label"), "label")
    return (_statement(item, row, "note", values.text(row.get("value"), "value"), subject=label),)


def _node(item: Item, row: Object) -> tuple[Record, ...]:
    named = {**row, "external_id": row.get("id"), "external_system": "cognee"}
    subject = values.optional_name(row.get("name"), "name")
    return (_statement(item, named, "note", values.text(row.get("text"), "text"), subject=subject),)


def _fact(item: Item, row: Object) -> tuple[Record, ...]:
    subject, object_ = (item.graph.entity(row.get(column)) for column in ("subject_ref", "object_ref"))
    predicate = values.name(values.text(row.get("predicate"), "predicate"), "predicate").replace("_", " ")
    records: list[Record] = []
    if row.get("fact_text"):
        said = values.text(row["fact_text"], "fact_text")
        records.append(_statement(item, row, "fact", said, subject=subject and values.name(subject, "subject_ref")))
    if subject and object_:
        evidence = _external_id(row) if records else None
        records.append(
            Relation(
                _account(item, row),
                values.name(subject, "subject_ref"),
                predicate,
                values.name(object_, "object_ref"),
                values.instant(row.get("valid_at"), "valid_at"),
                values.instant(row.get("invalid_at"), "invalid_at"),
                (evidence,) if evidence else (),
            )
        )
    return tuple(records)


def _statement(item: Item, row: Object, kind: MemoryKind, text: str, *, subject: str | None = None) -> Memory:
    created = values.instant(row.get("created_at"), "created_at")
    user = values.mapping(row.get("scope")).get("user_id")
    if subject is None and item.given.account is not None:
        subject = values.optional_name(user, "user_id")
    return Memory(
        _account(item, row),
        kind,
        text,
        subject=subject,
        occurred_at=created,
        valid_from=values.instant(row.get("valid_at"), "valid_at"),
        valid_to=values.instant(row.get("invalid_at", row.get("valid_to")), "invalid_at"),
        recorded_at=created,
        confidence=values.share(row.get("confidence")),
        status="open" if kind == "commitment" else None,
        external_id=_external_id(row),
    )


def _account(item: Item, row: Object) -> str:
    scope = values.mapping(row.get("scope"))
    return values.name(item.given.account if item.given.account is not None else scope.get("user_id") or "", "account")


def _external_id(row: Object) -> str | None:
    return external_id(str(row.get("external_system", "cogx")), row.get("external_id"))


def _more(row: Object, **more: object) -> str:
    scope = {key: value for key, value in values.mapping(row.get("scope")).items() if key != "user_id"}
    return values.details({**more, **scope, **values.mapping(row.get("metadata"))})


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


_CHECKS: dict[str, Callable[[Item, Object], tuple[Record, ...]]] = {
    "document": _document,
    "episode": _conversation,
    "entity": _entity,
    "memory": _memory,
    "memory_block": _block,
    "raw_node": _node,
    "fact": _fact,
}

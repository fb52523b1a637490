"""What a caller may read and write: one account or all, and of each type of record which fields."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from .records import TYPES, RecordType, Type

Allowed = Mapping[RecordType, frozenset[str]]
"""By type, the fields that are allowed."""


@dataclass(frozen=True)
class Access:
    """Whose records, and which of their fields. None: all of them."""

    account_id: str | None = None
    readable: Sequence[Allowed] = field(default_factory=tuple[Allowed, ...])
    """Each list narrows: a field is readable if all of them have it."""
    writable: Sequence[Allowed] = field(default_factory=tuple[Allowed, ...])

    def may_read(self, kind: RecordType, *names: str) -> bool:
        """Whether all of these fields can be read."""
        return all(name in allowed.get(kind, frozenset()) for allowed in self.readable for name in names)

    def readable_fields(self, kind: Type) -> list[str]:
        """The fields of a type that can be read, in the type's order."""
        return [name for name in kind.by_name if self.may_read(kind.name, name)]

    def unwritable(self, kind: RecordType, names: Collection[str]) -> list[str]:
        """Those of the fields that cannot be written."""
        return [n for n in names if any(n not in allowed.get(kind, frozenset()) for allowed in self.writable)]

    def sees(self, account_id: str | None) -> bool:
        """Whether records of that account exist for the caller."""
        return self.account_id is None or self.account_id == account_id


def allowed(said: Sequence[str]) -> Allowed:
    """An allowlist from entries such as `contact.email` and `deal.*`.

    Raises:
        ValueError: an entry names no field of a record; the message is for a person.
    """
    found: dict[RecordType, frozenset[str]] = {}
    for entry in said:
        kind_name, _, name = entry.partition(".")
        kind = TYPES.get(kind_name)
        if kind is None or (name != "*" and name not in kind.by_name):
            raise ValueError(f"{entry[:60]} is none of TYPE.FIELD; types: {', '.join(TYPES)}")
        names = frozenset(kind.by_name) if name == "*" else frozenset([name])
        found[kind.name] = found.get(kind.name, frozenset()) | names
    return found


def allowed_by_scope(said: str | None) -> Sequence[Allowed]:
    """The allowlist of a mandate's scope, such as `contact.email,deal.*`; what it misspells allows nothing."""
    if said is None:
        return ()
    lists: list[Allowed] = []
    for entry in said.split(","):
        try:
            lists.append(allowed([entry.strip()]))
        except ValueError:
            continue
    merged: dict[RecordType, frozenset[str]] = {}
    for one in lists:
        for kind, names in one.items():
            merged[kind] = merged.get(kind, frozenset()) | names
    return (merged,)

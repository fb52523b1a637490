"""Who owns which fields (`metadata.managedFields`), and server-side apply with its conflicts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..kinds import Kind
from ..objects import SERVERS_OWN, Object, get, members, timestamp
from ..schemas import Schema, schema_of
from ..status import ApiError, cause
from .fields import Owned, Path, flat, from_fields, remove, shown, to_fields
from .merging import merge_applied

_NOT_OWNED = ("apiVersion", "kind", "managedFields", "resourceVersion", *SERVERS_OWN)
_NAMES = ("name", "namespace", "generateName")


@dataclass(frozen=True)
class Manager:
    """One entry of `managedFields`: who, how, and in which version and subresource."""

    name: str
    operation: str
    """Apply or Update."""
    api_version: str
    subresource: str = ""
    owned: Owned = frozenset()
    time: str | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.name, self.operation, self.subresource

    def entry(self) -> Object:
        entry: Object = {
            "manager": self.name,
            "operation": self.operation,
            "apiVersion": self.api_version,
            **({"time": self.time} if self.time else {}),
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields(self.owned),
        }
        return {**entry, "subresource": self.subresource} if self.subresource else entry

    def described(self) -> str:
        text = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        if self.operation == "Update":
            text += f" using {self.api_version}" + (f" at {self.time}" if self.time else "")
        return text


def managers_of(value: Object) -> list[Manager]:
    return [
        Manager(
            each.get("manager", ""),
            each.get("operation", "Update"),
            each.get("apiVersion", ""),
            each.get("subresource", ""),
            from_fields(each.get("fieldsV1") or {}),
            each.get("time"),
        )
        for each in get(value, "metadata", "managedFields", default=[])
        if each
    ]


def updated(kind: Kind, live: Object | None, new: Object, manager: Manager) -> list[Manager]:
    """Who owns what after a write that is not an apply: the writer owns what it changed."""
    schema = schema_of(kind)
    before, after = _owned(live or {}, schema), _owned(new, schema)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = before.keys() - after.keys()
    managers = managers_of(new if get(new, "metadata", "managedFields") else live or {})
    if not changed and not gone:
        return managers
    own = next((each for each in managers if each.identity == manager.identity), manager)
    others = [_without(each, changed | gone) for each in managers if each is not own]
    now = own.time if not changed else timestamp()
    own = replace(own, owned=frozenset((own.owned - gone) | changed), api_version=kind.api_version, time=now)
    return [each for each in [*others, own] if each.owned]


def applied(
    kind: Kind, live: Object, configuration: Object, manager: Manager, force: bool
) -> tuple[Object, list[Manager]]:
    """An object after a server-side apply, and who owns what then.

    Raises:
        ApiError: 409, others own fields with other values, and `force` is not given.
    """
    schema = schema_of(kind)
    wanted = _owned(configuration, schema)
    present = _owned(live, schema)
    managers = managers_of(live)
    own = next((each for each in managers if each.identity == manager.identity), None)
    others = [each for each in managers if each is not own]
    conflicts = [
        (each, path)
        for each in others
        for path in sorted(each.owned & wanted.keys())
        if wanted[path] != present.get(path)
    ]
    if conflicts and not force:
        raise _conflict(conflicts)
    taken = {path for _, path in conflicts}
    others = [_without(each, taken) for each in others]
    merged = merge_applied(live, configuration, schema)
    _drop(merged, schema, own.owned - wanted.keys() if own else frozenset[Path](), wanted.keys(), others)
    owned = frozenset(wanted)
    same = own is not None and own.owned == owned and own.api_version == kind.api_version
    now = own.time if own and same else timestamp()
    mine = replace(manager, owned=owned, api_version=kind.api_version, time=now)
    return merged, [each for each in [*others, mine] if each.owned]


def _owned(value: Object, schema: Schema) -> dict[Path, object]:
    """The fields that somebody can own: not the server's own, nor what names the object."""
    value = {name: each for name, each in value.items() if name not in _NOT_OWNED}
    metadata = members(value.get("metadata"))
    value["metadata"] = {name: each for name, each in metadata.items() if name not in (*_NOT_OWNED, *_NAMES)}
    if not value["metadata"]:
        del value["metadata"]
    return flat(value, schema)


def _drop(merged: Object, schema: Schema, given_up: Owned, wanted: Iterable[Path], others: list[Manager]) -> None:
    """Remove what the manager applied before, applies no longer, and nobody else owns."""
    kept = set(wanted).union(*(each.owned for each in others))
    for path in sorted(given_up - kept, key=len):  # an element of a list before what it is found by
        if not any(each[: len(path)] == path for each in kept):
            remove(merged, schema, path)


def _without(manager: Manager, paths: Iterable[Path]) -> Manager:
    return replace(manager, owned=manager.owned - frozenset(paths))


def _conflict(conflicts: list[tuple[Manager, Path]]) -> ApiError:
    causes = [
        cause(shown(path), f"conflict with {each.described()}", "FieldManagerConflict") for each, path in conflicts
    ]
    if len(conflicts) == 1:
        (manager, path), count = conflicts[0], "1 conflict"
        said = f"conflict with {manager.described()}: {shown(path)}"
    else:
        by_manager: dict[str, list[str]] = {}
        for manager, path in conflicts:
            by_manager.setdefault(manager.described(), []).append(f"- {shown(path)}")
        count = f"{len(conflicts)} conflicts"
        said = "\n".join(line for name, lines in by_manager.items() for line in (f"conflicts with {name}:", *lines))
    return ApiError(409, "Conflict", f"Apply failed with {count}: {said}", {"causes": causes})


def write_managers(value: Object, managers: list[Manager]) -> None:
    """Put the managers into an object, in place."""
    value["metadata"].pop("managedFields", None)
    if managers:
        value["metadata"]["managedFields"] = [each.entry() for each in managers]

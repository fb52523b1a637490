"""The schema of a kind as patches, ownership and validation walk it: built in or of a custom resource alike."""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

from . import definitions
from .kinds import Kind
from .objects import members

_HEAD = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}


class Schema:
    """One node of a schema. What a schema leaves open has maps owned by key and lists owned as a whole."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        target = document
        for each in document.get("allOf", ()):
            target = {**definitions.definition(definitions.referred(each["$ref"])), **target}
        self.document = target
        self._fields: dict[str, Schema] = {}

    @property
    def type(self) -> str:
        return self.document.get("type", "")

    @property
    def is_open(self) -> bool:
        """Fields that it does not name may be there."""
        document = self.document
        if document.get("x-kubernetes-preserve-unknown-fields") or document.get("additionalProperties"):
            return True
        return "properties" not in document

    @property
    def is_atomic(self) -> bool:
        """Has one owner as a whole."""
        if self.type == "array" or "x-kubernetes-list-type" in self.document:
            return self.document.get("x-kubernetes-list-type", "atomic") == "atomic"
        return self.document.get("x-kubernetes-map-type") == "atomic"

    @property
    def is_set(self) -> bool:
        return self.document.get("x-kubernetes-list-type") == "set"

    @property
    def keys(self) -> list[str]:
        """What tells the elements of a list apart; empty unless it is owned by element."""
        return self.document.get("x-kubernetes-list-map-keys", [])

    @property
    def merge_key(self) -> str | None:
        """What strategic patches tell the elements apart by."""
        return self.document.get("x-kubernetes-patch-merge-key")

    @property
    def merges_list(self) -> bool:
        return "merge" in self.document.get("x-kubernetes-patch-strategy", "")

    @cached_property
    def items(self) -> "Schema":
        return Schema(self.document.get("items", {}))

    @property
    def names(self) -> Mapping[str, Any]:
        return self.document.get("properties", {})

    def has(self, name: str) -> bool:
        return name in self.names or self.is_open

    def field(self, name: str) -> "Schema":
        if name not in self._fields:
            additional = self.document.get("additionalProperties")
            self._fields[name] = Schema(self.names.get(name, members(additional)))
        return self._fields[name]

    def default(self, name: str) -> Any:
        return members(self.names.get(name)).get("default")


@cache
def schema_of(kind: Kind) -> Schema:
    return Schema(document_of(kind))


def document_of(kind: Kind) -> Mapping[str, Any]:
    """The whole schema of a kind; a custom resource's with the fields that every object has."""
    if kind.model is not None:
        return definitions.definition(definitions.register(kind.model))
    if kind.schema is None:
        return {}
    reference = definitions.reference(definitions.register(definitions.metadata()))
    metadata = {"allOf": [{"$ref": reference}]}
    properties = {**members(kind.schema.get("properties")), **_HEAD, "metadata": metadata}
    return {**kind.schema, "properties": properties}

"""What a change answers, as JSON: the fields of `models.Changed`."""

from collections.abc import Mapping
from typing import Any

from ..cluster.place import Place
from .diff import Diff

Request = Mapping[str, Any]
Outcome = dict[str, Any]


def outcome(place: Place, result: str, **more: Any) -> Outcome:
    """What became of one object; whatever is None is left out."""
    said = {
        "result": result,
        "context": place.cluster.name,
        "kind": place.kind.kind,
        "namespace": place.namespace,
        "name": place.name,
        **more,
    }
    return {name: value for name, value in said.items() if value is not None}


def shown(found: Diff) -> dict[str, Any]:
    """The changes of an answer or of facts."""
    changes = [change.model_dump() for change in found.changes]
    return {**({"changes": changes} if changes else {}), **({"left_out": found.left_out} if found.left_out else {})}

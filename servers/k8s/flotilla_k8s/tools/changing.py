"""What the tools that change something do alike: look, say whether a person decides first, and make the change once."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from flotilla_kit import tools
from flotilla_kit.errors import FlotillaError

from ..cluster.place import Place
from ..errors import Forbidden
from ..models import Changed
from ..objects import mapping
from ..writing.live import read
from ..writing.system import request_of
from .call import store

Prepared = tuple[Mapping[str, Any], Mapping[str, Any]]
"""The request of a change, and the facts about it."""


async def make(
    change: str,
    place: Place,
    preparing: Awaitable[Prepared],
    *,
    because: Sequence[str] = (),
    labels: Mapping[str, Any] | None = None,
) -> Changed:
    """Make a change once, after a person agreed to it where that is called for.

    Args:
        preparing: looks at the cluster. What it finds against the change is told only if this very call was not
            performed before: what it deleted is not there any more.
        because: why the tool's own rule wants a person to decide.
        labels: that the change gives to a namespace.

    Raises:
        FlotillaError: see `tools.perform`, and whatever `preparing` raises.
    """
    try:
        request, facts = await preparing
        why = [*because, *await _reasons(place, labels or {})]
    except FlotillaError as refused:
        return Changed.model_validate(await tools.perform({}, facts={}, refused=refused))
    if facts.get("result") == "unchanged":
        why = []
    facts = {**facts, **({"waits_because": why} if why else {})}
    done = await tools.perform(request_of(change, place, request), facts=facts, needed=bool(why), bound="uid")
    return Changed.model_validate(done)


async def _reasons(place: Place, labels: Mapping[str, Any]) -> list[str]:
    """Why a person decides first, whatever the change is."""
    policy = store().policy
    why = ["every change waits here"] if policy.approve_all_changes else []
    namespace = place.target.of_namespace
    if namespace is None:
        return [*why, "it concerns the whole cluster"]
    if policy.is_production(namespace, {key: str(value) for key, value in labels.items()}):
        return [*why, "it is in production"]
    try:
        live = await read(Place(place.cluster, await place.cluster.kinds.find("v1/Namespace"), None, namespace))
    except Forbidden:
        return [*why, "the labels of its namespace cannot be read"]
    if policy.is_production(namespace, mapping(live, "metadata", "labels")):
        return [*why, "it is in production"]
    return why

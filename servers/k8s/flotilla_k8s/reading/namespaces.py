"""The namespaces that a caller is served, with what the policy says of each."""

from collections.abc import AsyncIterator
from typing import Any

from flotilla_kit.errors import NotFound
from flotilla_kit.paging import page_within

from ..cluster.kinds import Kind
from ..cluster.place import Place
from ..cluster.tables import Metadata
from ..models import NamespaceInfo, Namespaces
from ..objects import at, mapping
from ..policy.policy import Policy, Scope
from .lists import digest, read_cursor

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", False, frozenset({"get", "list"}))
"""Every API server has it."""
_CHUNK = 500


async def list_namespaces(
    place: Place, policy: Policy, scope: Scope, labels: str | None, limit: int, cursor: str | None, max_bytes: int
) -> Namespaces:
    """A page of them; the list is read in chunks, for what is not served is left out."""
    token, skip = read_cursor(cursor, place, labels)
    of = digest(place, labels)
    found: list[tuple[NamespaceInfo, str, int]] = []
    async for meta, phase, at_token, number in _read(place, labels, token, scope):
        if number <= skip and at_token == token:
            continue
        if policy.shows(meta.name, scope):
            found.append((_info(meta, phase, policy), at_token, number))
            if len(found) > limit:
                break
    position = {info.name: (of, at_token, number) for info, at_token, number in found}
    page = page_within([info for info, _, _ in found], max_bytes, lambda info: position[info.name], limit=limit)
    return Namespaces(items=page.items, next_cursor=page.next_cursor)


async def _read(
    place: Place, labels: str | None, token: str, scope: Scope
) -> AsyncIterator[tuple[Metadata, str, str, int]]:
    """Each namespace, with the token of its chunk and its number in it."""
    if scope.namespace is not None and labels is None:
        try:
            one = await place.cluster.get(place.kind, scope.namespace)
        except NotFound:
            return  # it may be provisioned yet
        yield _metadata(one), str(at(one, "status", "phase")), "", 1
        return
    while True:
        table = await place.cluster.table(place.kind, labels=labels, limit=_CHUNK, token=token or None, metadata=True)
        phase = next((n for n, column in enumerate(table.columns) if column.name == "Status"), None)
        for number, (cells, meta) in enumerate(table.rows, 1):
            if meta is not None:
                yield meta, str(cells[phase]) if phase is not None else "", token, number
        if not table.token:
            return
        token = table.token


def _metadata(one: dict[str, Any]) -> Metadata:
    said = mapping(one, "metadata")
    return Metadata(
        said.get("name", ""), "", said.get("labels") or {}, said.get("creationTimestamp"), said.get("deletionTimestamp")
    )


def _info(meta: Metadata, phase: str, policy: Policy) -> NamespaceInfo:
    return NamespaceInfo(
        name=meta.name,
        status="Terminating" if meta.deletionTimestamp else phase or "Active",
        created=meta.creationTimestamp,
        protected=policy.is_protected(meta.name) or None,
        production=policy.is_production(meta.name, meta.labels) or None,
    )

"""Kinds of objects as an API server has them, custom ones too, found by discovery."""

import asyncio
import difflib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from flotilla_kit.errors import FlotillaError, NotFound

from ..errors import UnknownKind

Read = Callable[[str, str], Awaitable[Any]]
"""Gets a path with an Accept header, as JSON."""
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_ANEW_S = 10.0  # an unknown kind may have been defined just now
_PREFERRED = ("", "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io", "policy")


@dataclass(frozen=True)
class Kind:
    """A kind of object and where the API server has it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]
    short: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Where its objects are; every part is quoted, so none can lead elsewhere."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part is not None]
        return "/" + "/".join(quote(part, safe="") for part in parts)


class Kinds:
    """The kinds of one API server, asked for once, and anew when one is not among them."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._by_name: dict[str, Kind] = {}
        self._asked = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, said: str) -> Kind:
        """The kind called `Deployment`, `deployments`, `deploy`, `deployments.apps`, or `apps/v1/Deployment`.

        Raises:
            UnknownKind: there is none; the suggestion names near ones.
        """
        name = said.strip().lower()
        if name not in self._by_name:
            async with self._lock:
                if name not in self._by_name and time.monotonic() - self._asked > _ANEW_S:
                    self._by_name = _by_name(await self._discover())
                    self._asked = time.monotonic()
        if found := self._by_name.get(name):
            return found
        known = sorted({kind.kind for kind in self._by_name.values()})
        near = difflib.get_close_matches(name, [kind.lower() for kind in known], n=3, cutoff=0.6)
        shown = [kind for kind in known if kind.lower() in near] or ["Pod", "Deployment", "Service"]
        raise UnknownKind(
            "This API server has no such kind.", suggestion=f"Perhaps: {', '.join(shown)}; or pass GROUP/VERSION/KIND."
        )

    async def _discover(self) -> list[Kind]:
        core, groups = await asyncio.gather(self._read("/api", _AGGREGATED), self._read("/apis", _AGGREGATED))
        if core.get("kind") == groups.get("kind") == "APIGroupDiscoveryList":
            return [kind for group in [*core["items"], *groups["items"]] for kind in _aggregated(group)]
        versions = ["/api/v1"]
        for group in groups.get("groups", []):
            preferred = group["preferredVersion"]["groupVersion"]
            served = [each["groupVersion"] for each in group["versions"]]
            versions += [f"/apis/{each}" for each in (preferred, *(each for each in served if each != preferred))]
        lists = await asyncio.gather(*map(self._list_of, versions))
        return [kind for version, said in zip(versions, lists, strict=True) for kind in _listed(version, said)]

    async def _list_of(self, path: str) -> Mapping[str, Any]:
        try:
            return cast("Mapping[str, Any]", await self._read(path, "application/json"))
        except FlotillaError as error:
            if error.retryable or isinstance(error, NotFound):  # an aggregated API that is down hides only its own
                return {}
            raise


def _aggregated(group: Mapping[str, Any]) -> Iterable[Kind]:
    name = str(group.get("metadata", {}).get("name", ""))
    for version in group["versions"]:
        for resource in version.get("resources", []):
            yield Kind(
                name,
                version["version"],
                resource.get("responseKind", {}).get("kind", ""),
                resource["resource"],
                resource["scope"] == "Namespaced",
                frozenset(resource.get("verbs", [])),
                tuple(resource.get("shortNames", [])) + _singular(resource.get("singularResource", "")),
            )


def _listed(path: str, said: Mapping[str, Any]) -> Iterable[Kind]:
    group, version = ("", "v1") if path == "/api/v1" else path.removeprefix("/apis/").split("/")
    for resource in said.get("resources", []):
        if "/" not in resource["name"]:
            yield Kind(
                group,
                version,
                resource["kind"],
                resource["name"],
                resource["namespaced"],
                frozenset(resource.get("verbs", [])),
                tuple(resource.get("shortNames") or []) + _singular(resource.get("singularName", "")),
            )


def _singular(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


def _by_name(kinds: Iterable[Kind]) -> dict[str, Kind]:
    """Each under its names, in lower case; of two with one name the one of a well-known group, then the first."""
    found: dict[str, Kind] = {}
    listable = [kind for kind in kinds if "list" in kind.verbs or "get" in kind.verbs]
    for kind in sorted(listable, key=lambda kind: _rank(kind.group)):  # stable: versions stay in order of preference
        exact = (f"{kind.api_version}/{kind.kind}", f"{kind.api_version}/{kind.plural}")
        in_group = tuple(f"{name}.{kind.group}" for name in (kind.kind, kind.plural) if kind.group)
        for name in (*exact, *in_group, kind.kind, kind.plural, *kind.short):
            found.setdefault(name.lower(), kind)
    return found


def _rank(group: str) -> int:
    return _PREFERRED.index(group) if group in _PREFERRED else len(_PREFERRED)

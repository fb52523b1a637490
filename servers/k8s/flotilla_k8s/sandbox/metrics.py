"""`metrics.k8s.io`: what pods and nodes use, made up from their names and the same every time."""

import zlib
from collections.abc import Iterator, Mapping

from .kinds import Kind
from .objects import Object, get, name_of, namespace_of, timestamp
from .reading import filters
from .selectors import match_all
from .status import not_found
from .storage import Storage


def usage(storage: Storage, kind: Kind, namespace: str | None, name: str, query: Mapping[str, str]) -> Object:
    """One measurement, or a list of them.

    Raises:
        ApiError: 404.
    """
    if name:
        found = storage.get(kind.plural, namespace or "", name)
        if found is None or not _runs(found):
            raise not_found(kind, name)
        return {**kind.head(), **_measured(kind, found, storage)}
    wanted = filters(kind, query)
    items = [
        {**kind.head(), **_measured(kind, found, storage)}
        for found in storage.objects(kind.plural, namespace)
        if _runs(found) and match_all(wanted, found)
    ]
    return {**kind.list_head({}), "items": items}


def _runs(value: Object) -> bool:
    return value["kind"] == "Node" or get(value, "status", "phase") == "Running"


def _measured(kind: Kind, value: Object, storage: Storage) -> Object:
    metadata = {key: value["metadata"][key] for key in ("name", "namespace", "labels", "creationTimestamp")
                if key in value["metadata"]}  # fmt: skip
    measured: Object = {"metadata": metadata, "timestamp": timestamp(), "window": "15s"}
    if kind.kind == "NodeMetrics":
        pods = [pod for pod in storage.objects("pods") if get(pod, "spec", "nodeName") == name_of(value) and _runs(pod)]
        cpu, memory = map(
            sum, zip((180, 900), *(amounts for pod in pods for _, *amounts in _containers(pod)), strict=True)
        )
        return {**measured, "usage": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}}
    containers = [{"name": name, "usage": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}}
                  for name, cpu, memory in _containers(value)]  # fmt: skip
    return {**measured, "containers": containers}


def _containers(pod: Object) -> Iterator[tuple[str, int, int]]:
    """Name, thousandths of a CPU, and MiB."""
    for each in get(pod, "spec", "containers", default=[]):
        number = zlib.crc32(f"{namespace_of(pod)}/{name_of(pod)}/{each['name']}".encode())
        yield each["name"], 1 + number % 120, 16 + number // 128 % 240

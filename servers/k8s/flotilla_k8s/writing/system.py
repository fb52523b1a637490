"""The cluster as another system, in which the effects of the tools happen."""

from collections.abc import Mapping
from typing import Any

from flotilla_kit.effects import ExternalSystem

from ..cluster.clusters import Clusters


class ClusterChanges(ExternalSystem):
    """Makes changes in clusters, and finds out whether one was made."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    async def perform(self, request: Mapping[str, Any], key: str, /) -> Any:
        raise NotImplementedError

    async def find(self, request: Mapping[str, Any], key: str, /) -> Any:
        raise NotImplementedError

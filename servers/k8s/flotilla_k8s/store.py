"""What the server holds while it is up: the clusters, the policy over them, and the kit's records."""

from typing import Any

from flotilla_kit.storage import Store

from .cluster.clusters import Clusters
from .demo import DemoCluster
from .policy.policy import Policy
from .settings import Settings


class ClusterStore:
    """The clusters and their policy beside the kit's records: opened with the server, closed with it."""

    def __init__(self, records: Store, clusters: Clusters, settings: Settings) -> None:
        self.clusters, self.policy, self.settings = clusters, Policy(settings), settings
        self._records = records
        self._demo = DemoCluster() if settings.demo_data and settings.kubeconfig is None else None

    @property
    def database(self) -> Any:
        return self._records.database

    async def open(self) -> None:
        await self._records.open()
        if self._demo:
            self.clusters.serve(await self._demo.start())

    async def close(self) -> None:
        await self.clusters.close()
        if self._demo:
            await self._demo.stop()
        await self._records.close()

    async def ping(self) -> None:
        await self._records.ping()

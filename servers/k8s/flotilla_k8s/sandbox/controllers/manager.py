"""Runs the controllers: what changed is looked at again, at once or after a time."""

import asyncio

from ..cluster import Cluster


class Manager:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def run(self) -> None:
        await asyncio.Event().wait()

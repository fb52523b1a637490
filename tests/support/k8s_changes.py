"""The owner's client of a Kubernetes server over a sandbox, in the words of the tests of changes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from fastmcp import Client
from fastmcp.client import FastMCPTransport
from flotilla_k8s.cluster.cluster import Cluster
from flotilla_k8s.cluster.clusters import Clusters
from flotilla_k8s.server import create_server
from flotilla_k8s.settings import Settings
from flotilla_kit.errors import NotFound
from lightkube import AsyncClient, KubeConfig
from lightkube.codecs import from_dict

from .k8s_sandbox import Sandbox, k8s_sandbox
from .owner_client import Answer, Owner

TEAM = "team-a"
SETTLES_S = 20


def manifest(api_version: str, kind: str, name: str, namespace: str | None = TEAM, **content: Any) -> dict[str, Any]:
    """An object as a person would write it."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **content.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def config_map(name: str = "settings", namespace: str = TEAM, **data: str) -> dict[str, Any]:
    return manifest("v1", "ConfigMap", name, namespace, data=data or {"mode": "a"})


def deployment(name: str = "web", image: str = "registry.example/web:1", replicas: int = 2) -> dict[str, Any]:
    container = {"name": "web", "image": image, "env": [{"name": "MODE", "value": "fast"}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return manifest("apps/v1", "Deployment", name, spec=spec)


@dataclass
class Changes(Owner[Settings]):
    """The owner's client, and other connections to the cluster that it changes: somebody else's."""

    cluster: Cluster = field(kw_only=True)
    maker: Any = field(kw_only=True)
    """A lightkube client, whose methods' types are partly unknown to a strict check."""

    async def live(self, kind: str, name: str, namespace: str | None = TEAM) -> dict[str, Any]:
        """An object as the API server has it, empty if it is not there."""
        try:
            return await self.cluster.get(await self.cluster.kinds.find(kind), name, namespace)
        except NotFound:
            return {}

    async def create(self, what: dict[str, Any]) -> None:
        """Somebody else makes an object."""
        await self.maker.create(from_dict(what))

    async def patch(self, kind: str, name: str, patch: dict[str, Any], namespace: str | None = TEAM) -> dict[str, Any]:
        """Somebody else changes an object."""
        changed, _ = await self.cluster.patch(await self.cluster.kinds.find(kind), name, patch, namespace)
        return changed

    async def delete(self, kind: str, name: str, namespace: str | None = TEAM) -> None:
        """Somebody else deletes an object."""
        await self.cluster.delete(await self.cluster.kinds.find(kind), name, namespace)

    async def apply(self, what: dict[str, Any], **arguments: Any) -> Answer:
        """What `apply_manifest` answers, after an approval where one is needed."""
        return await self.approved("apply_manifest", manifest=yaml.safe_dump(what), **arguments)

    async def of(self, tool: str, name: str = "web", **arguments: Any) -> Answer:
        """A change of the Deployment, after an approval where one is needed."""
        return await self.approved(tool, **{"kind": "Deployment", "name": name, "namespace": TEAM, **arguments})

    async def asked(self, tool: str, **arguments: Any) -> Answer:
        """What a change has to wait for: the facts of its request for approval."""
        answer = await self.call(tool, **arguments)
        assert answer.get("code") == "approval_required", answer
        return dict(answer["details"]["facts"])

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Wait until controllers have seen to something."""
        async with asyncio.timeout(SETTLES_S):
            while not await is_so():  # noqa: ASYNC110  controllers see to it
                await asyncio.sleep(0.05)


@asynccontextmanager
async def changing(kubeconfig: Path, home: Path, **flags: Any) -> AsyncGenerator[Changes]:
    """The owner's client of a server over this cluster."""
    settings = Settings.load({"home": home, "kubeconfig": kubeconfig, **flags})
    others = Clusters(settings)
    maker = AsyncClient(KubeConfig.from_file(kubeconfig), field_manager="others")
    client: Client[FastMCPTransport] = Client(create_server(settings))
    async with client:
        try:
            yield Changes(client, settings, cluster=others.pick(None), maker=maker)
        finally:
            await others.close()
            await maker.aclose()


@asynccontextmanager
async def sandbox_changes(folder: Path, **flags: Any) -> AsyncGenerator[tuple[Sandbox, Changes]]:
    """An empty sandbox with the namespace `team-a`, and the owner's client of a server over it."""
    with k8s_sandbox(folder) as sandbox:
        async with changing(sandbox.kubeconfig, folder, **flags) as k8s:
            await k8s.create(manifest("v1", "Namespace", TEAM, None))
            yield sandbox, k8s

"""A Kubernetes server over a sandbox: an empty cluster with a namespace of ours, shared by the tests of a file."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from support.k8s_client import K8s, k8s_client
from support.k8s_objects import OURS, THEIRS, namespace
from support.k8s_sandbox import Sandbox, k8s_sandbox


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    with k8s_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        sandbox.kubectl("apply", "-f", "-", stdin=[namespace(OURS), namespace(THEIRS)])
        yield sandbox


@pytest.fixture
async def k8s(cluster: Sandbox, tmp_path: Path) -> AsyncGenerator[K8s]:
    """The owner's client; the administrator's credentials."""
    async with k8s_client(tmp_path, cluster.kubeconfig) as client:
        yield client

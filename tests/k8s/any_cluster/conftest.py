"""Any cluster, a sandbox unless FLOTILLA_TEST_KUBECONFIG names another (`make test-k8s`), and a server over it.

Nothing here waits for pods to run: a cluster may have neither nodes nor a scheduler.
"""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from support.k8s_any import AnyCluster, any_cluster
from support.k8s_changes import Changes, changing


@pytest.fixture(scope="session")
def anywhere(tmp_path_factory: pytest.TempPathFactory) -> Generator[AnyCluster]:
    with any_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
async def k8s(anywhere: AnyCluster, tmp_path: Path) -> AsyncGenerator[Changes]:
    async with changing(anywhere.kubeconfig, tmp_path, context=anywhere.context, request_timeout_s=20) as client:
        yield client

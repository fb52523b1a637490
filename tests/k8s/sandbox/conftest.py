"""One sandbox for a module's tests; each test has a namespace of its own."""

import itertools
from collections.abc import Generator
from typing import Any

import pytest
from lightkube import Client, KubeConfig
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace
from support.k8s_sandbox import Sandbox, k8s_sandbox

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    """An empty sandbox."""
    with k8s_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Generator[Any]:
    """The administrator."""
    with client_of(sandbox, "sandbox-admin") as admin:
        yield admin


@pytest.fixture
def namespace(client: Any) -> str:
    name = f"test-{next(_numbers)}"
    client.create(Namespace(metadata=ObjectMeta(name=name)))
    return name


def client_of(sandbox: Sandbox, user: str) -> Any:
    """A lightkube client, whose methods' types are partly unknown to a strict check."""
    return Client(KubeConfig.from_file(sandbox.kubeconfigs[user]), field_manager="tests")

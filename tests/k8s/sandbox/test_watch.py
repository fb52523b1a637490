"""Watches and the failures that a test can ask for."""

import threading
import time
from typing import Any

import pytest
from lightkube import ApiError
from lightkube.resources.core_v1 import ConfigMap, Namespace
from support.k8s_sandbox import Sandbox

from .manifests import config


def test_a_watch_tells_each_change_as_its_selector_sees_it(client: Any, namespace: str) -> None:
    existing = client.list(ConfigMap, namespace=namespace)
    list(existing)
    version = existing.resourceVersion

    def change() -> None:
        client.create(config(namespace, "other", {"app": "y"}))
        client.create(config(namespace, "a", {"app": "x"}))
        client.patch(ConfigMap, "a", {"data": {"k": "1"}}, namespace=namespace)
        client.patch(ConfigMap, "a", {"metadata": {"labels": {"app": "y"}}}, namespace=namespace)

    threading.Timer(0.1, change).start()
    seen: list[tuple[str, str | None]] = []
    for kind, value in client.watch(ConfigMap, namespace=namespace, labels={"app": "x"}, resource_version=version):
        seen.append((kind, value.metadata and value.metadata.name))
        if kind == "DELETED":
            break
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_watch_from_a_forgotten_revision_has_expired(sandbox: Sandbox, client: Any, namespace: str) -> None:
    made = client.create(config(namespace, "a"))
    client.create(config(namespace, "b"))
    sandbox.forget_changes()
    assert made.metadata
    with pytest.raises(ApiError) as error:
        next(iter(client.watch(ConfigMap, namespace=namespace, resource_version=made.metadata.resourceVersion)))
    assert (error.value.status.code, error.value.status.reason) == (410, "Expired")


@pytest.mark.parametrize(
    ("failure", "code", "reason"),
    [
        ("conflict", 409, "Conflict"),
        ("throttled", 429, "TooManyRequests"),
        ("internal", 500, "InternalError"),
        ("unavailable", 503, "ServiceUnavailable"),
        ("timeout", 504, "Timeout"),
        ("expired", 410, "Expired"),
    ],
)
def test_the_next_requests_fail_as_asked(sandbox: Sandbox, client: Any, failure: str, code: int, reason: str) -> None:
    sandbox.fail(failure, times=1, method="GET", path="/api/v1/namespaces/default")
    list(client.list(Namespace))
    with pytest.raises(ApiError) as error:
        client.get(Namespace, "default")
    assert (error.value.status.code, error.value.status.reason) == (code, reason)
    client.get(Namespace, "default")


def test_a_lost_answer_is_of_a_write_that_happened(sandbox: Sandbox, client: Any, namespace: str) -> None:
    sandbox.fail("lost", method="POST")
    with pytest.raises(ApiError) as error:
        client.create(config(namespace, "a"))
    assert error.value.status.code == 500
    assert client.get(ConfigMap, "a", namespace=namespace)


def test_a_request_can_hang(sandbox: Sandbox, client: Any) -> None:
    sandbox.fail("hang", seconds=0.3, path="/api/v1/namespaces/default")
    began = time.monotonic()
    client.get(Namespace, "default")
    assert time.monotonic() - began >= 0.3

"""An API server that fails: reads are repeated, waits are as long as it says, and what stays broken is said so."""

import asyncio
import time

import pytest
from support.k8s_client import K8s
from support.k8s_objects import OURS
from support.k8s_sandbox import Sandbox

LIST = {"kind": "ConfigMap", "namespace": OURS}


@pytest.mark.parametrize("failure", ["internal", "unavailable", "timeout"])
async def test_a_read_is_repeated_after_a_server_error(k8s: K8s, cluster: Sandbox, failure: str) -> None:
    await k8s.call("list_resources", **LIST)
    cluster.fail(failure, times=2, path="*configmaps")
    assert "items" in await k8s.call("list_resources", **LIST)


async def test_a_read_waits_as_long_as_it_is_told_to(k8s: K8s, cluster: Sandbox) -> None:
    await k8s.call("list_resources", **LIST)
    cluster.fail("throttled", path="*configmaps", seconds=1)
    started = time.monotonic()
    assert "items" in await k8s.call("list_resources", **LIST)
    assert time.monotonic() - started >= 1


async def test_what_stays_broken_is_unavailable_and_worth_a_retry(k8s: K8s, cluster: Sandbox) -> None:
    await k8s.call("list_resources", **LIST)
    cluster.fail("internal", times=4, path="*configmaps")
    error = await k8s.call("list_resources", **LIST)
    assert error["code"] == "cluster_unavailable" and error["retryable"]
    assert "items" in await k8s.call("list_resources", **LIST)


async def test_reads_at_once_are_not_held_back(k8s: K8s) -> None:
    """No rate of the client's own: the Go peer's default would take eight seconds for these."""
    await k8s.call("list_resources", **LIST)
    started = time.monotonic()
    answers = await asyncio.gather(*(k8s.call("list_resources", **LIST) for _ in range(40)))
    assert all("items" in answer for answer in answers)
    assert time.monotonic() - started < 6

"""Rollouts: how far they are, watched with progress until they end, and why they do not go on, with the evidence."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
from flotilla_k8s.sandbox.cluster import Options
from support.k8s_client import K8s, k8s_client
from support.k8s_objects import OURS, deployment, namespace
from support.k8s_sandbox import Sandbox, k8s_sandbox


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    """With the sample's teams, two of whose rollouts stall."""
    options = Options(data="sample", ready_after_s=0.3, terminate_after_s=0.1)
    with k8s_sandbox(tmp_path_factory.mktemp("sandbox"), options) as sandbox:
        sandbox.kubectl("apply", "-f", "-", stdin=namespace(OURS))
        yield sandbox


@pytest.fixture
async def k8s(cluster: Sandbox, tmp_path: Path) -> AsyncGenerator[K8s]:
    async with k8s_client(tmp_path, cluster.kubeconfig) as client:
        yield client


def reasons(rollout: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {reason["cause"]: reason for reason in rollout.get("reasons", [])}


async def test_a_rollout_that_is_complete_is_said_so_with_its_revisions(k8s: K8s) -> None:
    rollout = await k8s.call("get_rollout", name="web", namespace="team-a")
    assert rollout["status"] == "complete" and "reasons" not in rollout
    assert rollout["desired"] == rollout["updated"] == rollout["available"] == 3
    assert [each["revision"] for each in rollout["revisions"]]


async def test_an_image_that_cannot_be_pulled_is_the_evidence(k8s: K8s) -> None:
    rollout = await k8s.call("get_rollout", name="checkout", namespace="team-a")
    assert rollout["status"] == "stalled" and rollout["old"] == 2
    reason = reasons(rollout)["image_pull"]
    assert "registry.invalid/team-a/checkout:2.4.1" in reason["evidence"]
    assert reason["objects"][0].startswith("Pod/checkout-")
    assert len(rollout["revisions"]) == 2


async def test_a_quota_that_is_exceeded_is_the_evidence(k8s: K8s) -> None:
    rollout = await k8s.call("get_rollout", name="reports", namespace="team-b")
    assert rollout["status"] == "stalled"
    reason = reasons(rollout)["quota"]
    assert "exceeded quota: compute" in reason["evidence"] and "used: limits.cpu=2" in reason["evidence"]


async def test_waiting_ends_when_it_is_complete_and_says_how_far_it_is(k8s: K8s, cluster: Sandbox) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    cluster.kubectl("apply", "-f", "-", stdin=deployment("fresh", replicas=3))
    started = time.monotonic()
    arguments = {"name": "fresh", "namespace": OURS, "wait_s": 60}
    result = await k8s.client.call_tool("get_rollout", arguments, progress_handler=on_progress)
    assert json.loads(result.content[0].text)["status"] == "complete"  # pyright: ignore  # text
    assert time.monotonic() - started < 30
    assert told and told[0][1] == 60 and "of 3 updated" in str(told[0][2])
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)


async def test_waiting_is_limited_in_time(k8s: K8s, cluster: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.monotonic()
    rollout = await k8s.call("get_rollout", name="checkout", namespace="team-a", wait_s=2)
    assert rollout["status"] == "stalled" and 2 <= time.monotonic() - started < 15
    monkeypatch.setattr("flotilla_k8s.reading.rollouts.STALLED_S", 1.0)
    started = time.monotonic()
    rollout = await k8s.call("get_rollout", name="checkout", namespace="team-a", wait_s=120)
    assert rollout["status"] == "stalled" and time.monotonic() - started < 20, "a stall ends it early"


async def test_a_watch_that_expires_or_breaks_is_begun_anew(k8s: K8s, cluster: Sandbox) -> None:
    slow = deployment("slow", replicas=2)
    slow["spec"]["template"]["metadata"]["annotations"] = {"sandbox.flotilla.dev/ready-after": "3"}
    cluster.kubectl("apply", "-f", "-", stdin=slow)
    waiting = asyncio.create_task(k8s.call("get_rollout", name="slow", namespace=OURS, wait_s=60))
    for failure in ("expired", "internal", "expired"):
        cluster.fail(failure, path="*/namespaces/ours/deployments")
        cluster.forget_changes()
        await asyncio.sleep(0.3)
    assert (await waiting)["status"] == "complete"


async def test_kinds_without_rollouts_are_refused(k8s: K8s) -> None:
    code = await k8s.code("get_rollout", name="x", namespace=OURS, kind="Job")
    assert code == "invalid_arguments"

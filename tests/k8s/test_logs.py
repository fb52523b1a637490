"""Logs: filtered on the way, in bounded memory and time whatever their size and whatever is searched for."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from flotilla_k8s.reading.log_lines import LONGEST_LINE, LineKeeper
from support.k8s_client import K8s, k8s_client
from support.k8s_objects import OURS, namespace, pod
from support.k8s_sandbox import Sandbox, k8s_sandbox


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    with k8s_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        pair = [{"name": name, "image": "registry.example/web:1"} for name in ("web", "proxy")]
        size = "sandbox.flotilla.dev/log-bytes"
        pods = [
            pod("small", annotations={size: "100000"}),
            pod("large", annotations={size: "4000000"}),
            pod("pair", containers=pair),
        ]
        sandbox.kubectl("apply", "-f", "-", stdin=[namespace(OURS), *pods])
        sandbox.kubectl("wait", "pods", "--all", "-n", OURS, "--for=condition=Ready", "--timeout=30s")
        yield sandbox


@pytest.fixture
async def k8s(cluster: Sandbox, tmp_path: Path) -> AsyncGenerator[K8s]:
    async with k8s_client(tmp_path, cluster.kubeconfig) as client:
        yield client


async def test_the_last_lines_come_and_earlier_ones_by_until(k8s: K8s) -> None:
    newest = await k8s.call("get_pod_logs", name="small", namespace=OURS, tail=5)
    assert newest["lines"] == 5 and len(newest["log"].splitlines()) == 5
    before = await k8s.call("get_pod_logs", name="small", namespace=OURS, tail=5, until=newest["earlier"])
    assert before["lines"] == 5
    both = [line.partition(" ")[0] for said in (before, newest) for line in said["log"].splitlines()]
    assert both == sorted(set(both)), "each line is in one of them, in order"


async def test_since_leaves_out_what_is_older(k8s: K8s) -> None:
    newest = await k8s.call("get_pod_logs", name="small", namespace=OURS, tail=3)
    since = newest["log"].splitlines()[1].partition(" ")[0]
    found = await k8s.call("get_pod_logs", name="small", namespace=OURS, since=since)
    assert 1 <= found["lines"] <= 3


async def test_a_pattern_finds_lines_in_all_of_it(k8s: K8s) -> None:
    found = await k8s.call("get_pod_logs", name="large", namespace=OURS, tail=7, pattern=r"ERROR\s+\w+ timed out")
    lines = found["log"].splitlines()
    assert len(lines) == 7 and all("ERROR" in line and "timed out" in line for line in lines)
    assert (await k8s.call("get_pod_logs", name="large", namespace=OURS, pattern="no such words"))["lines"] == 0


@pytest.mark.parametrize("arguments", [{}, {"pattern": "INFO|WARN|ERROR|DEBUG"}])
async def test_an_answer_has_bounded_bytes(k8s: K8s, arguments: dict[str, str]) -> None:
    said = await k8s.text("get_pod_logs", name="large", namespace=OURS, tail=1000, **arguments)
    assert len(said.encode()) <= 16_500 and json.loads(said)["earlier"]


async def test_a_pattern_that_takes_forever_is_stopped_and_holds_nobody_up(
    k8s: K8s, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flotilla_k8s.reading.logs.FILTER_S", 3.0)
    forever = asyncio.create_task(k8s.call("get_pod_logs", name="small", namespace=OURS, pattern=r"^([\w =.:-]+)+#"))
    await asyncio.sleep(0.5)
    started = time.monotonic()
    assert (await k8s.call("get_pod_logs", name="small", namespace=OURS, tail=1))["lines"] == 1
    assert time.monotonic() - started < 2, "others are served meanwhile"
    assert (await forever)["code"] == "invalid_arguments"


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "[z-a]", "(?P<a", "*"])
async def test_what_is_no_pattern_is_refused(k8s: K8s, pattern: str) -> None:
    assert await k8s.code("get_pod_logs", name="small", namespace=OURS, pattern=pattern) == "invalid_arguments"


async def test_of_several_containers_one_is_named(k8s: K8s) -> None:
    error = await k8s.call("get_pod_logs", name="pair", namespace=OURS)
    assert error["code"] == "invalid_arguments" and "web proxy" in error["suggestion"]
    assert (await k8s.call("get_pod_logs", name="pair", namespace=OURS, container="proxy"))["lines"] > 0
    assert await k8s.code("get_pod_logs", name="pair", namespace=OURS, container="nope") == "conflict"
    assert await k8s.code("get_pod_logs", name="small", namespace=OURS, previous=True) == "conflict"


def test_the_keeper_holds_little_of_a_line_that_never_ends() -> None:
    keeper = LineKeeper(10, 10_000)
    keeper.feed(b"2026-03-01T09:00:00Z first\n2026-03-01T09:00:01Z ")
    for _ in range(1_000):
        keeper.feed(b"x" * 100_000)
        assert len(keeper._rest) <= LONGEST_LINE + 1  # pyright: ignore[reportPrivateUsage]  # what it holds on to
    keeper.feed(b"\n2026-03-01T09:00:02Z last")
    lines = keeper.end()
    assert [len(line) <= LONGEST_LINE for line in lines] == [True] * 3
    assert lines[0].endswith(b"first") and lines[2].endswith(b"last")


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_lines_are_the_same_however_they_come(cut: int) -> None:
    said = b"".join(b"2026-03-01T09:00:%02dZ line %d\n" % (number, number) for number in range(20))
    keeper = LineKeeper(5, 10_000, pattern="line 1", until="2026-03-01T09:00:18Z")
    for start in range(0, len(said), cut):
        keeper.feed(said[start : start + cut])
    assert [line.partition(b" ")[2] for line in keeper.end()] == [b"line %d" % number for number in range(13, 18)]
    assert keeper.dropped and keeper.ended

"""`python -m benchmarks.k8s`: lists of pods, one object, a log of 100 MB and callers at once, beside the Go server
`kubernetes-mcp-server` on the same sandbox in the same run, its client's own rate limit raised out of the way.

The sandbox is the same for both and takes a part of every time. Ours answers a list as a page of at most 100 rows, the
peer as all of it; `all pages` is how long it takes to have all of it from ours.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from fastmcp import Client

from .large import Call, over_stdio, timed
from .servers import BIN, resident

_PEER = Path(__file__).parent / "node_modules/kubernetes-mcp-server-linux-amd64/bin/kubernetes-mcp-server-linux-amd64"
_LIMITS = {"KUBE_CLIENT_QPS": "100000", "KUBE_CLIENT_BURST": "100000"}
LOG_BYTES = 100_000_000
CALLERS = 16


@contextmanager
def sandbox(folder: Path, pods: int) -> Generator[Path]:
    """A sandbox in a process of its own with so many pods, one of which has a large log; yields its kubeconfig."""
    file = folder / "kubeconfig"
    command = [BIN / "flotilla-k8s", "sandbox", "--kubeconfig", file, "--exit-with-stdin", "--data", "empty"]
    process = subprocess.Popen(
        [*command, "--pods", str(pods)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdout.readline()
        annotations = {"sandbox.flotilla.dev/log-bytes": str(LOG_BYTES)}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "large", "namespace": "default", "annotations": annotations},
            "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
        }
        kubectl = [BIN / "kubectl", "--kubeconfig", file]
        subprocess.run(
            [*kubectl, "create", "-f", "-"], input=json.dumps(pod), text=True, check=True, capture_output=True
        )
        ready = ["wait", "pod/large", "--for=condition=Ready", "--timeout=30s"]
        subprocess.run([*kubectl, *ready], check=True, capture_output=True)
        yield file
    finally:
        process.stdin.close()
        process.wait(20)


@asynccontextmanager
async def ours(kubeconfig: Path, home: Path) -> AsyncGenerator[tuple[Client[Any], str]]:
    """A client, and words of the server's command line."""
    command = [str(BIN / "flotilla-k8s"), "--home", str(home), "--kubeconfig", str(kubeconfig)]
    async with over_stdio(command, home / "ours.log", {}) as client:
        yield client, " ".join(command)


@asynccontextmanager
async def peers(kubeconfig: Path, home: Path) -> AsyncGenerator[tuple[Client[Any], str]]:
    command = [str(_PEER), "--kubeconfig", str(kubeconfig), "--disable-multi-cluster"]
    async with over_stdio(command, home / "peer.log", _LIMITS) as client:
        yield client, " ".join(command)


async def _measure(client: Client[Any], call: Call, times: int) -> tuple[list[float], int]:
    """Seconds of each call, and the bytes of the text that a model reads of an answer before those."""
    result = await client.call_tool(call[0], dict(call[1]))
    text = str(result.content[0].text)  # pyright: ignore  # text is all that both answer
    return await timed(client, [call] * times), len(text.encode())


async def _pages(client: Client[Any]) -> float:
    """Seconds until every pod was listed."""
    started = time.perf_counter()
    cursor: dict[str, Any] = {}
    while True:
        result = await client.call_tool("list_resources", {"kind": "Pod", "limit": 100, **cursor})
        page: dict[str, Any] = json.loads(result.content[0].text)  # pyright: ignore  # as above
        if page["next_cursor"] is None:
            return time.perf_counter() - started
        cursor = {"cursor": page["next_cursor"]}


async def _at_once(client: Client[Any], call: Call, each: int) -> float:
    """Calls a second of so many callers."""

    async def caller() -> None:
        for _ in range(each):
            await client.call_tool(call[0], dict(call[1]))

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return CALLERS * each / (time.perf_counter() - started)


def _row(name: str, who: str, taken: Sequence[float], size: int, memory: int) -> None:
    last = quantiles(taken, n=100)[-1] if len(taken) > 1 else taken[0]
    print(
        f"{name:32}{who:6}{median(taken) * 1e3:>10.1f}{last * 1e3:>10.1f}{size:>11}{size // 4:>9}{memory / 1e6:>7.0f}"
    )


async def _compare(pods: int, times: int) -> None:
    where = {"namespace": "default", "name": "large"}
    cases: list[tuple[str, Call, Call, int]] = [
        (f"list {pods} pods", ("list_resources", {"kind": "Pod", "limit": 100}), ("pods_list", {}), times),
        ("get one pod", ("get_resource", {"kind": "Pod", **where}), ("pods_get", where), times),
        ("100 lines of a log of 100 MB", ("get_pod_logs", where), ("pods_log", {**where, "tail": 100}), times),
    ]
    with tempfile.TemporaryDirectory() as folder, sandbox(Path(folder), pods) as kubeconfig:
        home = Path(folder)
        async with ours(kubeconfig, home) as (our, our_line), peers(kubeconfig, home) as (peer, peer_line):
            for name, mine, theirs, count in cases:
                for who, client, line, call in (("ours", our, our_line, mine), ("peer", peer, peer_line, theirs)):
                    taken, size = await _measure(client, call, count)
                    _row(name, who, taken, size, resident(line))
            searched, size = await _measure(our, ("get_pod_logs", {**where, "pattern": "ERROR.*timed"}), 1)
            _row("a pattern in all 100 MB", "ours", searched, size, resident(our_line))
            print(f"{'all pages':32}ours{await _pages(our) * 1e3:>12.1f}")
            for who, client, call in (
                ("ours", our, ("list_resources", {"kind": "ConfigMap", "namespace": "default"})),
                ("peer", peer, ("resources_list", {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "default"})),
            ):
                rate = await _at_once(client, call, times)
                print(f"{f'{CALLERS} callers, reads a second':32}{who:6}{rate:>10.0f}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, nargs="+", default=[145, 1_000, 10_000])
    parser.add_argument("--times", type=int, default=20)
    arguments = parser.parse_args(argv)
    if not _PEER.exists():
        print("the Go peer's binary is not here (it comes for linux/amd64); `make bench` installs it", file=sys.stderr)
        return
    os.environ.setdefault("FASTMCP_LOG_ENABLED", "false")
    print(f"{'':38}{'p50 ms':>10}{'p99 ms':>10}{'bytes':>11}{'~tokens':>9}{'MB':>7}")
    for pods in arguments.pods:
        asyncio.run(_compare(pods, arguments.times))


if __name__ == "__main__":
    main()

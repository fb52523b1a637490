"""`flotilla-k8s sandbox`: serves a sandbox until told to stop."""

import argparse
import asyncio
import os
import signal
from pathlib import Path

import uvloop

from .access.users import ADMIN
from .cluster import Options
from .serving import sandbox


def describe(parser: argparse.ArgumentParser) -> None:
    own = Options()
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="NAME", help="listen at this name or address of this machine"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="listen here; a free port by default")
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        default=Path("sandbox.kubeconfig"),
        metavar="FILE",
        help="write the administrator's kubeconfig here, and the viewer's and the editor's beside it",
    )
    parser.add_argument("--data", choices=["sample", "empty"], default=own.data, help="what is in it (default: sample)")
    parser.add_argument("--pods", type=int, default=own.pods, metavar="N", help="so many more pods, for benchmarks")
    parser.add_argument(
        "--ready-after",
        type=float,
        default=own.ready_after_s,
        metavar="SECONDS",
        help="how long a pod takes to be ready",
    )
    parser.add_argument("--faults", action="store_true", help="let POST /sandbox/faults make requests fail")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when standard input ends")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM.

    Raises:
        OSError: the port is taken, or the kubeconfig cannot be written.
    """
    options = Options(
        data=arguments.data, pods=arguments.pods, ready_after_s=arguments.ready_after, faults=arguments.faults
    )
    uvloop.run(
        _serve(options, arguments.kubeconfig.absolute(), arguments.host, arguments.port, arguments.exit_with_stdin)
    )
    return 0


async def _serve(options: Options, file: Path, host: str, port: int, exit_with_stdin: bool) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stopped.set)
    if exit_with_stdin:
        loop.add_reader(0, lambda: None if os.read(0, 4096) else (loop.remove_reader(0), stopped.set()))
    async with sandbox(options, file, port, host) as running:
        print(f"Kubernetes API at {running.url}", flush=True)  # noqa: T201  a sub-command's answer
        for name, path in running.kubeconfigs.items():
            print(f"  {'export KUBECONFIG=' if name == ADMIN.name else f'{name}: '}{path}", flush=True)  # noqa: T201  a sub-command's answer
        await stopped.wait()

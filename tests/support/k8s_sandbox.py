"""A Kubernetes sandbox for tests, in a thread of this process or as a process of its own, and kubectl against it."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from flotilla_k8s.sandbox.cluster import Options
from flotilla_k8s.sandbox.faults import Fault
from flotilla_k8s.sandbox.serving import Running, sandbox

from .processes import BIN, clean_environment

KUBECTL = BIN / "kubectl"
READY_S = 0.2
"""A pod's start in tests, unless they say otherwise."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox, with the kubeconfig of each of its users."""

    folder: Path
    running: Running
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def kubeconfigs(self) -> dict[str, Path]:
        return self.running.kubeconfigs

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.kubeconfigs["sandbox-admin"]

    def kubectl(
        self, *arguments: str, user: str = "sandbox-admin", stdin: Any = None, code: int | None = 0
    ) -> "subprocess.CompletedProcess[str]":
        """`kubectl ARGUMENTS` as a user.

        Args:
            stdin: a text, or an object or objects that are written as YAML.
            code: the exit code that is asserted; None for any.
        """
        text = stdin if stdin is None or isinstance(stdin, str) else _yaml(stdin)
        extra = {"KUBECONFIG": str(self.kubeconfigs[user]), "KUBECACHEDIR": str(self.folder / "cache")}
        done = subprocess.run(
            [KUBECTL, *arguments],
            env=clean_environment(self.folder, extra),
            input=text if text is not None else "",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert code is None or done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def fail(self, failure: str, times: int = 1, method: str = "*", path: str = "*", seconds: float = 1.0) -> None:
        """Let the next matching requests fail; see `Fault`."""
        self.running.faults.add(Fault(failure, times, method, path, seconds))

    def forget_changes(self) -> None:
        """Forget all changes so far, so that watches from before now have expired (410)."""
        done = threading.Event()

        def forget() -> None:
            self.running.cluster.storage.forget()
            done.set()

        self.loop.call_soon_threadsafe(forget)
        done.wait()


def _yaml(value: Any) -> str:
    many = cast("list[Any]", value) if isinstance(value, list) else [value]
    return yaml.safe_dump_all(many)


@contextmanager
def k8s_sandbox(folder: Path, options: Options | None = None) -> Generator[Sandbox]:
    """A sandbox in a thread of this process, on a free loopback port, until the block ends."""
    options = options or Options(data="empty", ready_after_s=READY_S, terminate_after_s=READY_S)
    started, stop = Future[Sandbox](), asyncio.Event()

    async def serve() -> None:
        async with sandbox(options, folder / "kubeconfig") as running:
            started.set_result(Sandbox(folder, running, asyncio.get_running_loop()))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=run, name="k8s-sandbox", daemon=True)
    thread.start()
    served = started.result()
    try:
        yield served
    finally:
        served.loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)


@dataclass(frozen=True)
class SandboxProcess:
    """A sandbox in a process of its own, for benchmarks and proofs."""

    process: "subprocess.Popen[str]"
    kubeconfig: Path


@contextmanager
def k8s_sandbox_process(folder: Path, *flags: str) -> Generator[SandboxProcess]:
    """`flotilla-k8s sandbox FLAGS` on a free loopback port, ended by its own pid."""
    file = folder / "kubeconfig"
    command = [sys.executable, "-m", "flotilla_k8s", "sandbox", "--kubeconfig", str(file), "--exit-with-stdin", *flags]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError(f"the sandbox did not start: exit code {process.wait()}")
        try:
            yield SandboxProcess(process, file)
        finally:
            process.terminate()

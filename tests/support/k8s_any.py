"""Any cluster for tests: the one of FLOTILLA_TEST_KUBECONFIG, else a sandbox; only in namespaces that go again."""

import os
import secrets
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from .k8s_changes import Changes
from .k8s_sandbox import KUBECTL, k8s_sandbox

VARIABLE = "FLOTILLA_TEST_KUBECONFIG"
DELETED_S = 180
_CALL_S = 60


@dataclass(frozen=True)
class AnyCluster:
    """A cluster, with an administrator of it, a new namespace, and what is deleted at the end."""

    kubeconfig: Path
    context: str
    viewer: Path | None
    """The kubeconfig of somebody who may read, but no Secrets, if there is one."""
    folder: Path
    namespace: str = field(default_factory=lambda: _name())
    made: list[str] = field(default_factory=list[str])
    """What is deleted at the end, as `KIND/NAME`."""

    def another(self) -> str:
        """The name of a further namespace, which is not there yet."""
        self.made.append(f"namespace/{_name()}")
        return self.made[-1].partition("/")[2]

    def kubectl(self, *arguments: str, stdin: Any = None, check: bool = True) -> str:
        """What `kubectl ARGUMENTS` says, as the administrator; `stdin` is an object or objects, as YAML."""
        command = [KUBECTL, "--kubeconfig", self.kubeconfig, "--context", self.context, *arguments]
        environment = os.environ | {"KUBECACHEDIR": str(self.folder / "cache")}
        objects = cast("list[Any]", stdin) if isinstance(stdin, list) else [stdin]
        text = "" if stdin is None else yaml.safe_dump_all(objects)
        seconds = _CALL_S + DELETED_S
        done = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, timeout=seconds)
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout if done.returncode == 0 else ""


@contextmanager
def any_cluster(folder: Path) -> Generator[AnyCluster]:
    """The cluster to test on, with an empty namespace `flotilla-test-…` until the block ends."""
    if said := os.environ.get(VARIABLE):
        with _namespaced(Path(said).expanduser().resolve(), folder) as cluster:
            yield cluster
    else:
        with k8s_sandbox(folder) as sandbox, _namespaced(sandbox.kubeconfig, folder) as cluster:
            yield cluster


@contextmanager
def _namespaced(kubeconfig: Path, folder: Path) -> Generator[AnyCluster]:
    context = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["current-context"]
    beside = (kubeconfig.with_name("viewer.kubeconfig"), kubeconfig.with_name(f"{kubeconfig.name}.viewer"))
    cluster = AnyCluster(kubeconfig, context, next((file for file in beside if file.is_file()), None), folder)
    cluster.made.append(f"namespace/{cluster.namespace}")
    labels = {"flotilla-test": cluster.namespace}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace, "labels": labels}}
    try:
        cluster.kubectl("create", "-f", "-", stdin=namespace)
        yield cluster
    finally:
        cluster.kubectl("delete", *cluster.made, "--ignore-not-found", f"--timeout={DELETED_S}s")


async def pages(k8s: Changes, tool: str, **arguments: Any) -> list[list[Any]]:
    """The items of each page of a list."""
    found: list[list[Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await k8s.call(tool, **arguments, **cursor)
        assert "items" in page, page
        found.append(page["items"])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def _name() -> str:
    return f"flotilla-test-{secrets.token_hex(4)}"

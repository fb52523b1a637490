"""The contexts that can be served: of a kubeconfig, of several that are merged, or of the pod that this runs in."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from ..errors import NoCluster
from ..objects import mapping, mappings
from ..settings import Settings

DEFAULT_FILE = Path("~/.kube/config")
IN_CLUSTER = "in-cluster"
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}


@dataclass(frozen=True)
class Context:
    """A cluster, and whom this server is there."""

    name: str
    config: SingleConfig
    plugin: Mapping[str, Any] | None = None
    """The `exec` entry of the user, if credentials come from a program."""
    current: bool = False


def load_contexts(settings: Settings) -> dict[str, Context]:
    """The contexts to serve, by name.

    Raises:
        NoCluster: there is no kubeconfig, it cannot be read, or it lacks the context of the settings.
    """
    files = _files(settings)
    try:
        found = _of_files(files) if files else _of_pod()
    except (ConfigError, OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        # Whatever is wrong in it is not repeated: a parser's message quotes the line, which may hold a token.
        raise NoCluster(
            "No kubeconfig can be used." if files else "There is no kubeconfig, and this is no pod of a cluster.",
            suggestion="Set KUBECONFIG or --kubeconfig to one that kubectl accepts; `flotilla-k8s sandbox` makes one.",
        ) from None
    if settings.context is None:
        return found
    if settings.context not in found:
        raise NoCluster(
            f"The kubeconfig has no context {settings.context}.",
            suggestion=f"It has: {', '.join(sorted(found))}."[:1000],
        )
    return {settings.context: found[settings.context]}


def _files(settings: Settings) -> list[Path]:
    """Those that the settings or KUBECONFIG name, which must exist; else the default one if it does."""
    if settings.kubeconfig is not None:
        return [settings.kubeconfig.expanduser()]
    named = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if named:
        return [path for path in named if path.is_file()] or named[:1]  # as kubectl does
    default = DEFAULT_FILE.expanduser()
    return [default] if default.is_file() else []


def _of_files(files: Iterable[Path]) -> dict[str, Context]:
    merged: dict[str, Any] = {kind: {} for kind in _LISTS}
    for path in files:
        said = cast("dict[str, Any]", yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        merged.setdefault("current-context", said.get("current-context"))
        for kind, inner in _LISTS.items():
            for entry in mappings(said, kind):
                entry[inner] = _absolute(mapping(entry, inner), path.parent)
                merged[kind].setdefault(entry["name"], entry)  # the first file wins
    lists = {kind: list(merged[kind].values()) for kind in _LISTS}
    read = KubeConfig.from_dict({**merged, **lists})  # pyright: ignore[reportUnknownMemberType]  # a bare dict there
    contexts: dict[str, Context] = {}
    for name, context in read.contexts.items():
        if context.cluster in read.clusters and (context.user is None or context.user in read.users):
            user = merged["users"].get(context.user, {}).get("user", {})
            contexts[name] = Context(name, _single(read, name), user.get("exec"), name == read.current_context)
    if not contexts:
        raise ValueError("no context")
    return contexts


def _of_pod() -> dict[str, Context]:
    config = KubeConfig.from_service_account(SERVICE_ACCOUNT)
    return {IN_CLUSTER: Context(IN_CLUSTER, _single(config, config.current_context)._replace(context_name=IN_CLUSTER))}


def _single(config: KubeConfig, name: str | None) -> SingleConfig:
    single = config.get(name)
    assert single is not None, "without a default it raises"
    return single


def _absolute(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """An entry whose files are found from anywhere."""
    return {key: str(folder.resolve() / value) if key in _FILES and value else value for key, value in entry.items()}

"""Prometheus metrics on a listener of their own; `prometheus_client` is imported only where they are asked for."""

import os
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..settings import SettingsError, parse_address
from .tracing import missing_extra

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the classes that times are counted in."""
OTHER = "other"
_SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def metrics_address(text: str, setting: str) -> tuple[str, int]:
    """Where metrics are asked to be served.

    Raises:
        SettingsError: it is no address, or what serves them is not installed.
    """
    if find_spec("prometheus_client") is None:
        raise missing_extra(f"{setting} asks for metrics")
    return parse_address(text, setting)


class Bounded:
    """The values of a label that has no natural bound: the first so many as they are, later ones as `other`."""

    def __init__(self, most: int) -> None:
        self._most, self._known = most, set[str]()

    def __call__(self, value: str) -> str:
        if value not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(value)
        return value


class ReadOnScrape:
    """A collector of what a function finds out whenever the metrics are read."""

    def __init__(self, read: "Callable[[], Iterable[Metric]]") -> None:
        self._read = read

    def collect(self) -> "Iterable[Metric]":
        return self._read()


@dataclass(frozen=True)
class Registry:
    """The metrics that a listener serves.

    Attributes:
        served: all of them.
        counted: where counters and histograms are registered. None: processes share their counts in files, and
            `served` has those of all.
    """

    served: "CollectorRegistry"
    counted: "CollectorRegistry | None"


def new_registry() -> Registry:
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    served = CollectorRegistry()
    if os.environ.get(_SHARED_FOLDER) is None:
        return Registry(served, served)
    MultiProcessCollector(served)
    return Registry(served, None)


@contextmanager
def shared_counts() -> Generator[None]:
    """Let this process and all that it forks share their counts while the block lasts.

    To be entered before `prometheus_client` is imported: it looks at the variable then, once.
    """
    with tempfile.TemporaryDirectory(prefix="flotilla-metrics-") as folder:
        os.environ[_SHARED_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_SHARED_FOLDER]


@contextmanager
def metrics_served(address: tuple[str, int], registry: Registry) -> Generator[str]:
    """Serve `/metrics` from a thread while the block lasts; yields the URL.

    Raises:
        SettingsError: the address cannot be bound.
    """
    from prometheus_client import start_http_server

    host, port = address
    try:
        server, thread = start_http_server(port, host, registry.served)
    except OSError as error:
        raise SettingsError(f"metrics cannot be served at {host}:{port}: {error}") from None
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

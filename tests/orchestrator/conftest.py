"""What the orchestrator's tests share."""

from collections.abc import Generator
from pathlib import Path

import pytest
from flotilla_kit.identity.keys import KeyRing
from support.processes import http_server
from support.stage import Elsewhere, Stage


@pytest.fixture(autouse=True)
def servers(forked_servers: None) -> None:
    """Runs start theirs without the seconds of imports."""


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Generator[Elsewhere]:
    """A help desk that all tests of this process share; it checks mandates, as every server does."""
    folder = tmp_path_factory.mktemp("desk")
    ring = KeyRing(folder / "keys")
    ring.current()
    flags = ("--mandate-keys", str(ring.public_file))
    with http_server("desk", folder, *flags, program="support.desk_server", tokens=True) as server:
        yield Elsewhere(server.url, ring.folder)


@pytest.fixture(scope="session")
def open_desk(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of a help desk that lets everyone in, whatever they present."""
    with http_server("desk", tmp_path_factory.mktemp("open-desk"), program="support.desk_server") as server:
        yield server.url


@pytest.fixture
def stage(tmp_path: Path, desk: Elsewhere) -> Stage:
    return Stage(tmp_path, desk)

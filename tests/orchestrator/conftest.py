"""What the orchestrator's tests share."""

from collections.abc import Generator
from pathlib import Path

import pytest
from support.processes import http_server
from support.stage import DESK, Stage


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of a help desk that all tests of this process share."""
    with http_server("desk", tmp_path_factory.mktemp("desk"), command=DESK) as server:
        yield server.url


@pytest.fixture
def stage(tmp_path: Path, desk: str) -> Stage:
    return Stage(tmp_path, desk)

"""A collector, and a service whose processes send their spans there."""

from collections.abc import Generator
from pathlib import Path

import pytest
from support.otlp import Collector, collector
from support.service import Served


@pytest.fixture
def spans() -> Generator[Collector]:
    with collector() as found:
        yield found


@pytest.fixture
def case(tmp_path: Path) -> Generator[Served]:
    found = Served(tmp_path)
    yield found
    if found.serving:
        found.kill(found.serving)

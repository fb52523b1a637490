"""A collector, and a service whose processes send their spans there."""

from collections.abc import Generator

import pytest
from support.otlp import Collector, collector
from support.service_fixtures import case

__all__ = ["case"]


@pytest.fixture
def spans() -> Generator[Collector]:
    with collector() as found:
        yield found

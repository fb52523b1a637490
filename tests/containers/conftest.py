"""What `make containers` runs, and `make test` leaves out: images that are built, and a fleet of them at work."""

import os
from collections.abc import Generator

import pytest
from support import container_images
from support.compose import ComposedFleet, composed_fleet

FULL = bool(os.environ.get("FLOTILLA_CONTAINERS"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "images take minutes; `make containers` builds them" if not FULL else container_images.missing()
    for item in items:
        if reason and item.get_closest_marker("containers"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The image of each package, built from this tree."""
    return {package: container_images.build(package) for package in container_images.PACKAGES}


@pytest.fixture(scope="session")
def fleet(images: dict[str, str]) -> Generator[ComposedFleet]:
    with composed_fleet("flotilla-test") as found:
        yield found

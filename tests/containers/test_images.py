"""The images: small, of an unprivileged user, with nothing of this machine, and content with a read-only root."""

import json
import os
import re
import tarfile
import tempfile
from pathlib import Path

import pytest
from support.container_images import PACKAGES, base_image, podman

pytestmark = pytest.mark.containers
SERVERS = [package for package in PACKAGES if package != "orchestrator"]
LARGEST = 150_000_000  # beyond the base


@pytest.fixture(params=PACKAGES)
def image(request: pytest.FixtureRequest, images: dict[str, str]) -> str:
    return images[request.param]


def inspect(image: str) -> dict[str, object]:
    return json.loads(podman("image", "inspect", image))[0]


@pytest.mark.parametrize("package", SERVERS)
def test_a_server_adds_less_than_150_mb_to_its_base(package: str, images: dict[str, str]) -> None:
    added = int(str(inspect(images[package])["Size"])) - int(str(inspect(base_image())["Size"]))
    print(f"{package}: {added / 1e6:.0f} MB beyond the base")
    assert added < LARGEST


def test_nobody_is_root(image: str) -> None:
    assert podman("run", "--rm", "--network", "none", image, "id", "-u").strip() == "10001"


def test_nothing_of_the_host_and_no_secret_is_in_a_layer(image: str) -> None:
    history = podman("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    assert not [word for word in ("pip.conf", "index-url", "PASSWORD", "TOKEN", "SECRET") if word in history]
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "image.tar"
        podman("save", "--quiet", "--format", "docker-archive", "-o", str(saved), image)
        with tarfile.open(saved) as archive:
            layers = [member for member in archive.getmembers() if member.name.endswith(".tar") and member.isfile()]
            own = layers[1:]  # the first is the base
            assert own
            for layer in own:
                opened = archive.extractfile(layer)
                assert opened
                with tarfile.open(fileobj=opened) as files:
                    for member in files:
                        # Where a build mounts the host's settings, an empty file is left.
                        assert "pip.conf" not in member.name or member.size == 0
                        assert not member.name.endswith((".jwk", ".env", "id_rsa", ".pem")) or "certifi/" in member.name


def test_bytecode_is_there_and_tests_and_tools_are_not(image: str) -> None:
    absent = "[name for name in ('pytest', 'ruff', 'pip', 'uv') if find_spec(name)]"
    code = f"import flotilla_kit; from importlib.util import find_spec; print(flotilla_kit.__cached__, {absent})"
    cached, rest = podman("run", "--rm", "--network", "none", image, "python", "-c", code).strip().split(" ", 1)
    assert rest == "[]"
    podman("run", "--rm", "--network", "none", image, "test", "-s", cached)


@pytest.mark.parametrize("package", SERVERS)
def test_a_server_lists_its_tools_on_a_read_only_root(package: str, images: dict[str, str]) -> None:
    words = ("run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--tmpfs", "/data:mode=1777")
    assert re.search(r" in \d+ tools$", podman(*words, images[package], f"flotilla-{package}", "tools").strip())


def test_the_health_of_a_server_is_checked(images: dict[str, str]) -> None:
    name = f"flotilla-health-{os.getpid()}"
    command = ("flotilla-billing", "--auth", "none", "--http", "127.0.0.1:8000")
    podman("run", "-d", "--name", name, "--network", "none", images["billing"], *command)
    try:
        for _ in range(60):
            if not podman("healthcheck", "run", name, check=False).strip().endswith("unhealthy"):
                break
        podman("healthcheck", "run", name)
    finally:
        podman("rm", "-f", "-t", "0", name)

"""Builds the images with podman: on a public base image where a registry answers, else on one made by debootstrap.

FLOTILLA_BASE_IMAGE names the base to use. What the host's pip is configured with (an index, a certificate, folders of
wheels) is mounted for the time of the build, and no layer has it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[2]
PACKAGES = ("billing", "crm", "k8s", "memory", "orchestrator")
TAG = "test"
PUBLIC_BASE = "docker.io/library/python:3.12-slim-bookworm"
PUBLIC_BUILD_BASE = "docker.io/library/python:3.12-bookworm"
STAND_IN_BASE = "localhost/flotilla-base:bookworm"
STAND_IN_POSTGRES = "localhost/flotilla-postgres:test"
STAND_IN_PROMETHEUS = "localhost/flotilla-prometheus:test"
_PACKAGES_OF_BASE = "python3,python3-venv,python3-pip,ca-certificates,binutils"
_DEFAULT_ULIMITS = '["nofile=10000:10000", "nproc=10000:10000"]'


def missing() -> str | None:
    """Why no container can run here; None: one can."""
    absent = [program for program in ("podman", "podman-compose", "runc", "debootstrap") if not shutil.which(program)]
    absent += [program for program in ("netavark", "aardvark-dns") if not Path("/usr/lib/podman", program).exists()]
    if absent:
        return f"{', '.join(absent)} not installed"
    return "podman needs root here" if os.geteuid() else None


def environment() -> dict[str, str]:
    """What podman is called with: the runtime and limits that work in virtual machines and nested containers, too."""
    conf = Path(tempfile.gettempdir()) / "flotilla-containers.conf"
    conf.write_text(
        f"[containers]\ndefault_ulimits = {_DEFAULT_ULIMITS}\n"
        'log_driver = "k8s-file"\n'  # where no journald runs, `podman logs` has nothing else to read
        '[engine]\nruntime = "runc"\n'
        '[network]\nnetwork_backend = "netavark"\n'  # CNI has no names in internal networks
    )
    return {**os.environ, "CONTAINERS_CONF": str(conf), "BUILDAH_FORMAT": "docker"}


def podman(*words: str, stdin: str | None = None, check: bool = True) -> str:
    """What the command prints.

    Raises:
        AssertionError: it failed; with what it said.
    """
    done = subprocess.run(["podman", *words], input=stdin, capture_output=True, text=True, env=environment())
    assert done.returncode == 0 or not check, f"podman {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@cache
def base_image() -> str:
    """The base to build on: what FLOTILLA_BASE_IMAGE names, the public one, or one made here."""
    if named := os.environ.get("FLOTILLA_BASE_IMAGE"):
        return named
    if exists(STAND_IN_BASE):
        return STAND_IN_BASE
    pulled = subprocess.run(
        ["podman", "pull", "--quiet", PUBLIC_BASE], capture_output=True, env=environment(), timeout=600
    )
    if pulled.returncode == 0:
        return PUBLIC_BASE
    with tempfile.TemporaryDirectory(prefix="flotilla-base-") as folder:
        root = Path(folder) / "root"
        _run("debootstrap", "--variant=minbase", f"--include={_PACKAGES_OF_BASE}", "bookworm", str(root))
        for archive in (root / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        tarball = Path(folder) / "root.tar"
        _run("tar", "-C", str(root), "-cf", str(tarball), ".")
        podman("import", "--quiet", str(tarball), STAND_IN_BASE)
    return STAND_IN_BASE


def build_base() -> str:
    """The base to build packages on: of the same Python, with binutils."""
    return os.environ.get("FLOTILLA_BUILD_BASE_IMAGE") or (
        PUBLIC_BUILD_BASE if base_image() == PUBLIC_BASE else base_image()
    )


def exists(image: str) -> bool:
    return subprocess.run(["podman", "image", "exists", image], env=environment()).returncode == 0


def build(package: str) -> str:
    """The image of a package, built from this tree."""
    image = name_of(package)
    arguments = ["--build-arg", f"PACKAGE={package}"]
    _build(image, ROOT / "Dockerfile", ROOT, arguments)
    return image


def name_of(package: str) -> str:
    return f"localhost/flotilla/{package}:{TAG}"


def postgres_image() -> str:
    """An image that is configured as the public one of PostgreSQL, with Debian's packages."""
    folder = ROOT / "tests" / "containers" / "postgres"
    _build(STAND_IN_POSTGRES, folder / "Dockerfile", folder, [])
    return STAND_IN_POSTGRES


def prometheus_image() -> str:
    """An image that takes the same arguments as the public one of Prometheus, with Debian's package."""
    folder = ROOT / "tests" / "containers" / "prometheus"
    _build(STAND_IN_PROMETHEUS, folder / "Dockerfile", folder, [])
    return STAND_IN_PROMETHEUS


def _build(image: str, file: Path, context: Path, arguments: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="flotilla-build-") as folder:
        mounts = [word for mount in pip_mounts(Path(folder)) for word in ("--volume", f"{mount}:ro")]
        podman(
            *("build", "--quiet", "--isolation", "chroot", "--network", "host", "--format", "docker", "--tag", image),
            *(
                "--build-arg",
                f"BASE={base_image()}",
                "--build-arg",
                f"BUILD_BASE={build_base()}",
                *arguments,
                *mounts,
                "--file",
                str(file),
                str(context),
            ),
        )


def pip_mounts(folder: Path) -> list[str]:
    """`SOURCE:TARGET` of each file and folder that pip needs to reach an index as it does on this host."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if section in ("global", "install", ":env:") and key not in ("constraint", "require-virtualenv", "user"):
            settings[key] = value.strip("'\"")
    file = folder / "pip.conf"
    file.write_text("\n".join(["[global]", *(f"{key} = {value}" for key, value in settings.items())]) + "\n")
    places = {Path(unquote(urlsplit(word).path)) for value in settings.values() for word in value.split()}
    places = {place.parent if place.name == "simple" else place for place in places}  # an index's files are beside it
    local = sorted(str(place) for place in places if place.is_absolute() and place.exists())
    return [f"{file}:/etc/pip.conf", *(f"{place}:{place}" for place in local)]


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{words[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"

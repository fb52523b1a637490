"""The cluster of `--demo-data`: a sandbox that runs beside the server as a process of its own, and ends with it."""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from .errors import NoCluster

_START_S = 20
_STOP_S = 3


class DemoCluster:
    """A sandbox with the sample teams. What is changed in it is gone when the server ends."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Path:
        """Start it; answers its kubeconfig. Raises `NoCluster` if it does not come up."""
        self._folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="flotilla-k8s-"))
        kubeconfig = self._folder / "kubeconfig"
        command = ("-m", "flotilla_k8s", "sandbox", "--kubeconfig", str(kubeconfig), "--exit-with-stdin")
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=pipe, stdout=pipe)
        assert self._process.stdout
        try:
            said = await asyncio.wait_for(self._process.stdout.readline(), _START_S)
        except TimeoutError:
            said = b""
        if not said:
            raise NoCluster("The sandbox of --demo-data did not start.", suggestion="Try `flotilla-k8s sandbox`.")
        return kubeconfig

    async def stop(self) -> None:
        process = self._process
        if process and process.stdin and process.returncode is None:
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._folder:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

"""The `flotilla` command as people run it, and the processes it starts."""

import os
import select
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from . import programs
from .processes import BIN, clean_environment


def flotilla(
    home: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run `flotilla ARGUMENTS` to its end with nothing inherited."""
    home.mkdir(parents=True, exist_ok=True)
    return programs.run("flotilla", *arguments, environ=clean_environment(home, environment), folder=home)


def billing(home: Path, *arguments: str | Path) -> None:
    """Run `flotilla-billing ARGUMENTS`, which goes well."""
    done = programs.run("flotilla-billing", *arguments, environ=clean_environment(home), folder=home)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def started(home: Path, *arguments: str | Path) -> "Generator[subprocess.Popen[str]]":
    """`flotilla ARGUMENTS`, running; killed by its own pid if it is still there at the end."""
    home.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [BIN / "flotilla", *arguments],
        env=clean_environment(home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def descendants(pid: int) -> dict[int, str]:
    """Every process below `pid` with its command line (Linux)."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended while we looked
    below = {pid}
    while new := {child for child, parent in parents.items() if parent in below} - below:
        below |= new
    return {child: Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ") for child in below - {pid}}


class Watched:
    """Processes that somebody else started, so that their end can be waited for."""

    def __init__(self, pids: Mapping[int, str]) -> None:
        self._handles: dict[int, str] = {}
        for pid, command in pids.items():
            with suppress(ProcessLookupError):  # it has ended already
                self._handles[os.pidfd_open(pid)] = command

    def alive_after(self, seconds: float) -> list[str]:
        """Wait until all have ended, at most so long; the command lines of those that have not."""
        waiting = dict(self._handles)
        poll = select.poll()
        for handle in waiting:
            poll.register(handle, select.POLLIN)
        while waiting and (ended := poll.poll(seconds * 1000)):
            for handle, _ in ended:
                poll.unregister(handle)
                del waiting[handle]
        for handle in self._handles:
            os.close(handle)
        return list(waiting.values())

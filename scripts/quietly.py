"""Runs a set-up command behind one line of progress; all it printed is shown only if it fails.

Only the standard library: the system's Python runs it, before anything is installed.
`python scripts/quietly.py TITLE -- COMMAND…`
"""

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

_PACKAGE = "Collecting "  # what pip says of each
_INSTALLING = "Installing collected packages"
_EVERY_S = 0.2


class Progress:
    """One line: rewritten in place on a terminal, elsewhere printed once at the start."""

    def __init__(self, title: str) -> None:
        self._title, self._terminal = title, sys.stdout.isatty()
        self._started, self._shown = time.monotonic(), ""
        self._packages, self._doing = 0, "fetched"
        if not self._terminal:
            print(f"{title} ...", flush=True)

    def follow(self, line: str) -> None:
        """Learn from a line of the command's output how far it is."""
        if line.startswith(_PACKAGE):
            self._packages += 1
        elif line.startswith(_INSTALLING):
            self._doing = "being installed"

    def show(self, ending: str = "") -> None:
        """Say how far it is; with an ending, for the last time."""
        if not self._terminal:
            return
        counted = f"{self._packages} packages {self._doing}, " if self._packages and not ending else ""
        line = f"{self._title}: {counted}{ending}{time.monotonic() - self._started:.0f} s"
        if line != self._shown or ending:
            # Spaces over what was longer before: no escape sequence, so any terminal shows it.
            print(f"\r{line.ljust(len(self._shown))}", end="\n" if ending else "", flush=True)
        self._shown = line


def run(progress: Progress, command: Sequence[str]) -> tuple[int, str]:
    """Run it to its end; its exit code and everything it printed."""
    said: list[str] = []
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            progress.follow(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while process.poll() is None:
        progress.show()
        reader.join(_EVERY_S)  # the output ends with the command, or a little before
        if not reader.is_alive():
            process.wait()
    reader.join()
    return process.returncode, "".join(said)


def main() -> int:
    """The command's own exit code; 130 if it was interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("title")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # pyright: ignore  # a locale without the letters of a path
    progress = Progress(given.title)
    try:
        code, said = run(progress, given.command)
    except KeyboardInterrupt:
        print("\nInterrupted; the next try starts over.", file=sys.stderr)
        return 130
    progress.show("failed after " if code else "done in ")
    if code:
        print(said, end="", file=sys.stderr)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    raise SystemExit(main())

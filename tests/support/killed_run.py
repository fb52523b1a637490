"""The `flotilla` command that, at a named place in it, is killed with its whole process group, as `kill -9` does.

python -m support.killed_run SITE NTH COMMAND ...
"""

import itertools
import os
import signal
import sys

from flotilla_kit.effects import faults
from flotilla_orchestrator.__main__ import main

# How often each is passed in the proof's run, at least: where its sessions wait for their calls, and where they end in
# front of them.
WAITING_SITES = {
    "run_begun": 1,
    "part_begins": 3,
    "call_asked": 4,
    "call_waits": 2,
    "delegated": 1,
    "workers_started": 1,
    "call_waited": 2,
    "reported": 1,
    "call_allowed": 4,
    "call_done": 4,
    "part_ends": 3,
    "part_recorded": 3,
    "run_ends": 1,
}
SITES = {
    "run_begun": 1,
    "part_begins": 5,
    "call_asked": 4,
    "call_allowed": 3,
    "call_done": 3,
    "part_ends": 5,
    "part_recorded": 5,
    "delegated": 1,
    "workers_started": 1,
    "waiting": 1,
    "decided": 1,
    "reported": 1,
    "run_ends": 1,
}


def arm(site: str, nth: int) -> None:
    """Kill this process group at the nth passing of a site."""
    passed = itertools.count(1)

    def kill_here(name: str) -> None:
        if name == site and next(passed) == nth:
            os.killpg(0, signal.SIGKILL)

    faults.hook = kill_here


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    raise SystemExit(main(sys.argv[3:]))

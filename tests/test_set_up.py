"""What `make` shows while it sets up: one line, and everything else only if it failed."""

import os
import subprocess
import sys
from pathlib import Path

from support.terminal import at_terminal

QUIETLY = [sys.executable, Path(__file__).parent.parent / "scripts" / "quietly.py", "Setting up", "--", "sh", "-c"]
PIP = (
    "echo WARNING: noise >&2; echo Collecting a; echo Collecting b; sleep 0.5; echo Installing collected packages: a, b"
)


def test_a_terminal_shows_one_line_of_progress_and_no_warning() -> None:
    code, shown = at_terminal([*QUIETLY, PIP], {"PATH": os.defpath, "TERM": "dumb"})
    assert code == 0 and shown.count("\n") == 1 and "\x1b" not in shown
    assert "Setting up: 2 packages fetched, 0 s" in shown and "Setting up: done in" in shown and "WARNING" not in shown


def test_elsewhere_one_plain_line_is_printed() -> None:
    ran = subprocess.run([*QUIETLY, PIP], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "Setting up ...\n", "")


def test_a_failure_shows_everything_that_was_printed_and_keeps_the_exit_code() -> None:
    ran = subprocess.run([*QUIETLY, f"{PIP}; echo why >&2; exit 7"], capture_output=True, text=True, check=False)
    assert ran.returncode == 7 and "WARNING: noise\nCollecting a\n" in ran.stderr and ran.stderr.endswith("why\n")

"""A command at a terminal of its own, and a person who types there."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def at_terminal(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    typed: str | None = None,
    prompt: str = "back: ",
    also: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run the command; once it shows the prompt, type a line (if one is given).

    Args:
        also: by prompt, the line typed at another one.

    Returns:
        Its exit code, and everything the terminal showed.
    """
    master, slave = pty.openpty()
    process = subprocess.Popen(command, env=dict(environment), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown, lines = b"", {**({} if typed is None else {prompt: typed}), **(also or {})}
    deadline = time.monotonic() + 180  # a whole run can be in it, on a busy machine
    try:
        while select.select([master], [], [], deadline - time.monotonic())[0]:
            try:
                shown += os.read(master, 65536)
            except OSError:  # Linux says so when the last of its users is gone
                return process.wait(10), shown.decode()
            for question in [question for question in lines if question.encode() in shown]:
                os.write(master, lines.pop(question).encode() + b"\n")
        raise TimeoutError(shown.decode())
    finally:
        os.close(master)
        if process.poll() is None:
            process.kill()
            process.wait()

"""Processes that take one step of an approved refund each and, at a named place in it, are killed as `kill -9` does.

python -m support.approval_worker forks one for every line of its input, a step as JSON, and says how it ended: that
saves the second that starting Python takes.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flotilla_kit.effects import faults

from support.approved import replica
from support.gateway import HttpGateway


@dataclass(frozen=True)
class Step:
    """One call to a server of the process's own, which dies when it comes to `site`."""

    home: str
    database_url: str
    gateway: str
    site: str
    token: str
    tool: str
    arguments: Mapping[str, Any]
    tool_use_id: str | None = None
    naive: bool = False

    def as_json(self) -> str:
        return json.dumps(asdict(self))


async def take(step: Step) -> None:
    def kill_here(name: str) -> None:
        if name == step.site:
            os.kill(os.getpid(), signal.SIGKILL)

    gateway = HttpGateway(step.gateway, fresh_keys=step.naive)
    async with replica(Path(step.home), step.database_url, gateway) as server:
        faults.hook = kill_here
        print(await server.call(step.token, step.tool, step.arguments, step.tool_use_id), file=sys.stderr)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(take(Step(**json.loads(line))))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


@contextmanager
def victims() -> Generator[Callable[[Step], int]]:
    """A function that runs a step in a process of its own and returns that one's exit code."""
    with subprocess.Popen(
        [sys.executable, "-m", "support.approval_worker"],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None and stdout is not None

        def run(step: Step) -> int:
            print(step.as_json(), file=stdin, flush=True)
            return int(stdout.readline())

        yield run


if __name__ == "__main__":
    main()

"""The light switch's server in processes that, at a named place in a call, are killed as `kill -9` does.

python -m support.switch_worker forks one for every line of its input, a call as JSON, and says how it ended: that saves
the second that starting Python takes.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import light_switch
from fastmcp import Client, FastMCP
from fastmcp.client import FastMCPTransport
from flotilla_kit.effects import faults
from flotilla_kit.identity.keys import SigningKey, write_jwks
from light_switch import Settings

from support.answers import answer_of
from support.tokens import worker_claims

light_switch.Device.timeout_s = 1.0  # so that what was sent has arrived, or never will, after two
# Between approval and settlement; the second half leaves it open whether the device was told.
SITES = ("consuming", "reserving", "after_reserve", "before_send", "after_send", "settling", "after_settle")


@dataclass(frozen=True)
class Caller:
    """A worker that switches the light on in one run, and how it comes to a server of its own."""

    home: str
    database_url: str
    device: str
    token: str
    key: str
    site: str = ""
    naive: bool = False
    """The server's author claims of the device that it deduplicates, which it does not."""

    @property
    def settings(self) -> Settings:
        said = {"device_url": self.device, "mandate": self.token, "mandate_keys": f"{self.home}/workers.json"}
        return Settings.load({"home": Path(self.home), "database_url": self.database_url, **said})

    def server(self) -> FastMCP:
        light_switch.Device.keys_kept = timedelta(hours=20) if self.naive else None
        return light_switch.create_server(self.settings)

    async def call(self, client: Client[FastMCPTransport], *, on: bool = True, key: str = "") -> dict[str, Any]:
        """The answer or the error, as data."""
        given = {"on": on, "idempotency_key": key or self.key}
        return answer_of(await client.call_tool("set_light", given, raise_on_error=False))

    async def call_alone(self) -> dict[str, Any]:
        """By a server that is up only for this."""
        async with Client(self.server()) as client:
            return await self.call(client)


class Workers:
    """Mints what workers present; `home` gets the public key."""

    def __init__(self, home: Path) -> None:
        self._key = SigningKey.generate()
        write_jwks(home / "workers.json", [self._key.public_jwk()])

    def token(self, run: str) -> str:
        details = [{"type": "mcp_tool", "tool": tool} for tool in ("get_light", "set_light")]
        return self._key.sign(worker_claims(aud="light", run=run, authorization_details=details))


async def die_in_call(caller: Caller) -> None:
    def kill_here(name: str) -> None:
        if name == caller.site:
            os.kill(os.getpid(), signal.SIGKILL)

    async with Client(caller.server()) as client:
        faults.hook = kill_here
        print(await caller.call(client), file=sys.stderr)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(die_in_call(Caller(**json.loads(line))))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


@contextmanager
def victims() -> Generator[Callable[[Caller], int]]:
    """A function that makes a call in a process of its own and returns that one's exit code."""
    tests = Path(__file__).parent.parent
    with subprocess.Popen(
        [sys.executable, "-m", "support.switch_worker"],
        cwd=tests,
        env={**os.environ, "PYTHONPATH": str(tests.parent / "docs" / "examples")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None and stdout is not None

        def run(caller: Caller) -> int:
            print(json.dumps(asdict(caller)), file=stdin, flush=True)
            return int(stdout.readline())

        yield run


if __name__ == "__main__":
    main()

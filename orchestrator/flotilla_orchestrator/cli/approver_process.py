"""Starts the approver of a rehearsal and passes requests on to it."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from flotilla_orchestrator.errors import Failure
from flotilla_orchestrator.provider import server_environment
from flotilla_orchestrator.sessions.decisions import DecisionRequest, Notify

NAME = "demo-approver"


@asynccontextmanager
async def demo_approver(jwks: Path, environ: Mapping[str, str]) -> AsyncGenerator[Notify]:
    """Run an approver that approves everything, in a process of its own, while the block lasts.

    Args:
        jwks: where it publishes its key, for servers started with `--approver-keys`; they may start before it has.
    """
    _remove_old_keys(jwks)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flotilla_orchestrator.cli.demo_approver", "--jwks", jwks, "--name", NAME),
        env=server_environment(environ, "approver", []),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    lock = asyncio.Lock()
    assert process.stdin and process.stdout
    requests, answers = process.stdin, process.stdout

    async def exchange(request: dict[str, str]) -> dict[str, object]:
        async with lock:
            requests.write(json.dumps(request).encode() + b"\n")
            line = await answers.readline()
        return json.loads(line) if line else {"error": "it has ended"}

    async def ask(pending: DecisionRequest) -> None:
        request = {"server": pending.server, "url": pending.url, "approval_id": pending.approval.approval_id}
        # Shielded: the answer to a cancelled request must not be read for the next one.
        answer = await asyncio.shield(asyncio.ensure_future(exchange(request)))
        if "error" in answer:
            message = f"The approver of the rehearsal could not approve on {pending.server}: {answer['error']}"
            raise Failure("approver_failed", message, "Only servers that the run starts itself know its key.")

    try:
        yield ask
    finally:
        requests.close()
        await process.wait()
        async with lock:  # an answer that nobody waits for any more
            pass


def _remove_old_keys(jwks: Path) -> None:
    jwks.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    jwks.unlink(missing_ok=True)  # an earlier process had a key of the same name

"""The approver of a rehearsal: a process of its own, because whoever runs a playbook must not be able to approve.

    python -m flotilla_orchestrator.cli.demo_approver --jwks FILE --name demo-approver

Its key is made here and never leaves; FILE has the public half before anything is answered. What each line
`{"server", "url", "approval_id"}` on stdin names is approved, and answered by a line `{"state", "decided_by"}` or
`{"error"}`. The process exits at the end of stdin.
"""

import argparse
import asyncio
import gc
import json
import sys
from pathlib import Path

from flotilla_kit.identity.approvers import mint
from flotilla_kit.identity.keys import SigningKey, write_jwks

from flotilla_orchestrator.errors import Failure
from flotilla_orchestrator.fleet.approvals import approvals_over_http


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jwks", type=Path, required=True)
    parser.add_argument("--name", required=True)
    arguments = parser.parse_args()
    key = SigningKey.generate(arguments.name)
    write_jwks(arguments.jwks, [key.public_jwk()])
    gc.disable()  # it is mostly imports, and lives for one run
    import mcp.client.streamable_http  # noqa: F401  # pyright: ignore[reportUnusedImport]  # while nobody waits for it

    for line in sys.stdin:
        request = json.loads(line)
        _write(asyncio.run(_approve(key, request["server"], request["url"], request["approval_id"])))


async def _approve(key: SigningKey, server: str, url: str, approval_id: str) -> dict[str, object]:
    token = mint(key, issuer=f"flotilla-{server}-approvers", audience=server)
    approvals = approvals_over_http(server, url, lambda: token, local=True)
    try:
        decided = await approvals.decide(approval_id, "approve", "rehearsed")
    except Failure as failure:
        return {"error": failure.as_dict()}
    return {"state": decided.state, "decided_by": decided.decided_by}


def _write(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

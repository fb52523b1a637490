"""A help-desk MCP server for the orchestrator's tests: small, and able to wait, to meet and to die on request.

Run by its path, with the flags of every Flotilla server.
"""

import argparse
import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

from fastmcp.tools import tool
from flotilla_kit.errors import NotFound
from flotilla_kit.http.addresses import parse_address
from flotilla_kit.http.serving import serve_http
from flotilla_kit.server import build_server
from flotilla_kit.settings import ServerSettings
from flotilla_kit.telemetry import logs
from flotilla_kit.tools import DESTROY, READ, declare
from pydantic_settings import SettingsConfigDict

TICKETS = {"t_1": "cust_1", "t_2": "cust_2", "t_maya": "cust_12345", "t_nobody": ""}
_met: Counter[str] = Counter()
_complete: dict[str, asyncio.Event] = {}


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="FLOTILLA_DESK_", extra="forbid", frozen=True)
    server = "desk"


class NoStore:
    database = None

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def ping(self) -> None: ...


@tool(annotations=READ)
async def get_ticket(ticket_id: str) -> dict[str, str]:
    """One ticket."""
    if ticket_id not in TICKETS:
        raise NotFound(f"There is no ticket {ticket_id}.")
    return {"ticket_id": ticket_id, "customer_id": TICKETS[ticket_id]}


@tool(annotations=READ)
async def list_tickets(customer_id: str | None = None) -> dict[str, list[str]]:
    """The tickets of a customer, or of all."""
    return {"items": [ticket for ticket, owner in TICKETS.items() if customer_id in (None, owner)]}


@tool(annotations=READ)
async def meet(place: str, people: int) -> str:
    """Answers when as many calls as `people` are waiting at the same place."""
    _met[place] += 1
    complete = _complete.setdefault(place, asyncio.Event())
    if _met[place] >= people:
        complete.set()
    await complete.wait()
    return "met"


@tool(annotations=READ)
async def wait_forever() -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return "unreachable"


@tool(annotations=DESTROY)
@declare(approval="never", effect=False)
async def close_ticket(ticket_id: str) -> str:
    """Says that it is closed, which is a change."""
    return f"closed {ticket_id}"


@tool(annotations=DESTROY)
@declare(approval="never", effect=False)
async def hang() -> str:
    """Says that it changes something, and never answers."""
    await asyncio.Event().wait()
    return "unreachable"


@tool(annotations=DESTROY)
@declare(approval="never", effect=False)
async def die() -> str:
    """Ends the server's process at once, and with --grave for good."""
    if _grave:
        _grave[0].touch()
    os._exit(9)


_grave: list[Path] = []


def main() -> None:
    flags = argparse.ArgumentParser()
    flags.add_argument("--http", type=parse_address, required=True)
    flags.add_argument("--auth", choices=["none"])
    flags.add_argument("--exit-with-stdin", action="store_true")
    for name in ("--mandate-keys", "--audience", "--approver-keys", "--home"):
        flags.add_argument(name)
    flags.add_argument("--demo-data", action="store_true")  # the tickets are always there
    flags.add_argument("--grave", type=Path)  # while this file is there, the server does not start
    given = vars(flags.parse_args())
    if grave := given.pop("grave"):
        _grave.append(grave)
        if grave.exists():
            sys.exit(9)
    (host, port), auth, exit_with_stdin = given.pop("http"), given.pop("auth"), given.pop("exit_with_stdin")
    logs.configure("info")
    settings = Settings.load({name: value for name, value in given.items() if value})
    tools = [get_ticket, list_tickets, meet, wait_forever, close_ticket, hang, die]
    server = build_server(settings, NoStore(), instructions="A help desk for tests.", tools=tools)
    serving = serve_http(
        server, NoStore(), settings, host, port, ask_for_tokens=auth is None, exit_with_stdin=exit_with_stdin
    )
    asyncio.run(serving)


if __name__ == "__main__":
    main()

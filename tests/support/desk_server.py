"""A help-desk MCP server for the orchestrator's tests: small, and able to wait, to meet and to die on request.

Run by its path, with the flags of every Flotilla server.
"""

import argparse
import asyncio
import os
from collections import Counter

from fastmcp.tools import tool
from flotilla_kit import logs
from flotilla_kit.errors import NotFound
from flotilla_kit.http import parse_address, serve_http
from flotilla_kit.server import DESTROY, READ, build_server
from flotilla_kit.settings import ServerSettings
from pydantic_settings import SettingsConfigDict

TICKETS = {"t_1": "cust_1", "t_2": "cust_2"}
_met: Counter[str] = Counter()
_complete: dict[str, asyncio.Event] = {}


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="FLOTILLA_DESK_", extra="forbid", frozen=True)
    server = "desk"


class NoStore:
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
async def die() -> str:
    """Ends the server's process at once."""
    os._exit(9)


def main() -> None:
    flags = argparse.ArgumentParser()
    flags.add_argument("--http", type=parse_address)
    flags.add_argument("--auth")
    flags.add_argument("--exit-with-stdin", action="store_true")
    (host, port), exit_with_stdin = (given := flags.parse_args()).http, given.exit_with_stdin
    logs.configure("info")
    tools = [get_ticket, list_tickets, meet, wait_forever, die]
    server = build_server(Settings(), NoStore(), instructions="A help desk for tests.", tools=tools)
    asyncio.run(serve_http(server, NoStore(), host, port, exit_with_stdin=exit_with_stdin))


if __name__ == "__main__":
    main()

"""Processes that remember one fact after the other, and say of each that it was acknowledged.

python -m support.memory_writer DATABASE_URL HOME NUMBER NAME [NAME …]
"""

import asyncio
import os
import sys
from pathlib import Path

from flotilla_kit.effects import Effect, digest
from flotilla_memory.records import Memory
from flotilla_memory.settings import Settings
from flotilla_memory.sql_store import SqlMemoryStore
from flotilla_memory.store import Caller

ACCOUNTS = 5


def text_of(name: str, number: int) -> str:
    return f"{name} says number {number}"


def account_of(number: int) -> str:
    """Writers meet in the same accounts."""
    return f"acct_{number % ACCOUNTS}"


async def write(database_url: str, home: str, name: str, number: int) -> None:
    store = SqlMemoryStore(Settings.load({"home": Path(home), "database_url": database_url}))
    await store.open()
    for at in range(number):
        memory = Memory(account_of(at), "fact", text_of(name, at), subject=f"{name} {at % 7}")
        effect = Effect("owner", "", "remember", f"{name}-{at}", digest({"text": memory.text}))
        done = await store.remember(Caller(), effect, memory, [])
        assert done.outcome == "created", done
        _say(name, "wrote", at)
    await store.close()


def _say(name: str, what: str, number: int) -> None:
    """In one piece: so short a line is, whoever else writes to the pipe."""
    os.write(sys.stdout.fileno(), f"{name} {what} {number}\n".encode())


def main(database_url: str, home: str, number: str, *names: str) -> None:
    """Forked from one process, which saves the seconds that starting Python takes."""
    children: dict[int, str] = {}
    for name in names:
        child = os.fork()
        if not child:
            _say(name, "pid", os.getpid())
            asyncio.run(write(database_url, home, name, int(number)))
            os._exit(0)
        children[child] = name
    while children:
        ended, status = os.wait()
        _say(children.pop(ended), "ended", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])

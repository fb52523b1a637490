"""A memory server that is killed, as `kill -9` does, right after an erasure was committed.

python -m support.erasing_worker HOME TEXT
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from fastmcp import Client
from flotilla_kit.effects import faults
from flotilla_memory.server import create_server
from flotilla_memory.settings import Settings

from support.memory_client import Memory


def kill(name: str) -> None:
    if name == "committed":
        os.kill(os.getpid(), signal.SIGKILL)


async def main(home: Path, text: str) -> None:
    settings = Settings.load({"home": home})
    async with Client(create_server(settings)) as client:
        memory = Memory(client, settings)
        fact = await memory.fact(text)
        faults.hook = kill
        await memory.forget(fact, "erase")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))

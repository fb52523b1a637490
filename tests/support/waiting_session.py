"""An orchestrator process whose only session calls a tool that never answers, of the desk at the address given."""

import asyncio
import sys
from pathlib import Path

from flotilla_orchestrator.sessions.session import run_session

from .desk import ENDLESS, Desk
from .sessions import Heard, scripted, session


async def main(url: str, folder: Path) -> None:
    async with scripted({"call": ENDLESS}) as rehearsal:
        waiting = session(rehearsal, folder, Desk(url), grants={ENDLESS}, wall_clock_s=60)
        await run_session(waiting, Heard())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))

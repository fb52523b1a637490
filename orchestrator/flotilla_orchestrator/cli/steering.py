"""The commands that steer runs: `flotilla pause`, `cancel`, `tell`. (`resume` is in runs.py.)"""

import argparse
import sys
from typing import TYPE_CHECKING

from ..run_request import check_task
from .arguments import given_task, home_folder, open_journal, print_answer

if TYPE_CHECKING:
    from ..journal.journal import Run


async def pause(arguments: argparse.Namespace) -> int:
    """Have the sessions of a run stop in front of their next calls."""
    from ..runs.run_control import pause_run

    async with await open_journal(arguments) as journal:
        run = await pause_run(journal, arguments.run_id)
    return _answer(arguments, run, "pausing", f"`flotilla resume {run.run_id}` resumes it")


async def tell(arguments: argparse.Namespace) -> int:
    """Send a message to the lead of a run: it gets it with the next result of a call, or at its end."""
    from ..runs.run_control import tell_run

    text = given_task(arguments)
    check_task(text)
    async with await open_journal(arguments) as journal:
        run = await tell_run(journal, arguments.run_id, text)
    return _answer(arguments, run, "told", "its lead gets it with the next result of a call, or at its end")


async def cancel(arguments: argparse.Namespace) -> int:
    """Cancel a run: in this process if no other is at work on it."""
    from ..runs.run_control import cancel_run

    async with await open_journal(arguments) as journal:
        run, ended = await cancel_run(home_folder(arguments), journal, arguments.run_id)
    state = "cancelled" if ended else "cancelling"
    return _answer(arguments, run, state, "what was done before stays done")


def _answer(arguments: argparse.Namespace, run: "Run", state: str, then: str) -> int:
    print_answer(arguments, {"run_id": run.run_id, "state": state}, f"{run.run_id}: {state}; {then}.", sys.stdout)
    return 0

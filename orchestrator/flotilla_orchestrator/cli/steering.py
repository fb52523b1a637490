"""What people say to runs: `flotilla pause`, `cancel`, `tell`. (`resume` is with the commands that have runs go on.)"""

import argparse
import sys
from typing import TYPE_CHECKING

from ..errors import Failure
from ..run_request import check_task
from .arguments import given_task, home_folder, open_journal, print_answer

if TYPE_CHECKING:
    from ..journal.journal import Journal, Run
    from ..journal.steering import Kind


async def pause(arguments: argparse.Namespace) -> int:
    """Its sessions stop in front of their next calls."""
    async with await open_journal(arguments) as journal:
        run = await _active_run(journal, arguments.run_id)
        await _append(journal, run, "pause")
    return _answer(arguments, run, "pausing", f"`flotilla resume {run.run_id}` lets it go on")


async def tell(arguments: argparse.Namespace) -> int:
    """Its lead hears the message with the next result of a call, or at its end."""
    text = given_task(arguments)
    check_task(text)
    async with await open_journal(arguments) as journal:
        run = await _active_run(journal, arguments.run_id)
        await _append(journal, run, "message", text)
    return _answer(arguments, run, "told", "its lead hears it with the next result of a call, or at its end")


async def cancel(arguments: argparse.Namespace) -> int:
    """It ends, in this process if no other is at work on it."""
    from ..runs.cancellation import cancel_unattended

    async with await open_journal(arguments) as journal:
        run = await _active_run(journal, arguments.run_id)
        await _append(journal, run, "cancel")
        ended = await cancel_unattended(home_folder(arguments), journal, run)
    state = "cancelled" if ended else "cancelling"
    return _answer(arguments, run, state, "what was done before stays done")


async def resume_if_paused(journal: "Journal", run: "Run") -> bool:
    """Whether the run was paused; it is no more."""
    from ..journal.steering import is_paused

    if not await journal.query(is_paused, run.run_id):
        return False
    await _append(journal, run, "resume")
    return True


async def _active_run(journal: "Journal", run_id: str) -> "Run":
    run = await journal.run(run_id)
    if run is None:
        raise Failure("unknown_run", f"There is no run {run_id}.", "See `flotilla runs`, and --home.")
    if run.ended_at and run.status != "interrupted":
        raise Failure("run_ended", f"{run.run_id} has ended: {run.status}.", f"See `flotilla show {run.run_id}`.")
    return run


async def _append(journal: "Journal", run: "Run", kind: "Kind", text: str = "") -> None:
    from ..journal import steering

    await journal.database.write(steering.append_event, run.run_id, kind, text)


def _answer(arguments: argparse.Namespace, run: "Run", state: str, note: str) -> int:
    print_answer(arguments, {"run_id": run.run_id, "state": state}, f"{run.run_id}: {state}; {note}.", sys.stdout)
    return 0

"""Pauses, resumes and cancels runs, and sends messages to their leads, from any process."""

from pathlib import Path

from ..errors import Failure
from ..journal import steering
from ..journal.journal import Journal, Run
from ..journal.steering import Kind, is_paused
from .cancellation import cancel_unattended


async def active_run(journal: Journal, run_id: str) -> Run:
    """A run that has not ended.

    Raises:
        Failure: `unknown_run`, `run_ended`.
    """
    run = await journal.run(run_id)
    if run is None:
        raise Failure("unknown_run", f"There is no run {run_id}.", "See `flotilla runs`, and --home.")
    if run.ended_at and run.status != "interrupted":
        raise Failure("run_ended", f"{run.run_id} has ended: {run.status}.", f"See `flotilla show {run.run_id}`.")
    return run


async def pause_run(journal: Journal, run_id: str) -> Run:
    """Have the sessions of a run stop in front of their next calls."""
    return await _append(journal, run_id, "pause")


async def tell_run(journal: Journal, run_id: str, text: str) -> Run:
    """Send a message to the lead of a run: it gets it with the next result of a call, or at its end."""
    return await _append(journal, run_id, "message", text)


async def cancel_run(home: Path, journal: Journal, run_id: str) -> tuple[Run, bool]:
    """Cancel a run; returns it, and whether it has ended at once, since no process was at work on it."""
    run = await _append(journal, run_id, "cancel")
    return run, await cancel_unattended(home, journal, run)


async def resume_run(journal: Journal, run: Run) -> bool:
    """Resume a paused run; returns whether it was paused."""
    if not await journal.query(is_paused, run.run_id):
        return False
    await journal.database.write(steering.append_event, run.run_id, "resume")
    return True


async def _append(journal: Journal, run_id: str, kind: Kind, text: str = "") -> Run:
    run = await active_run(journal, run_id)
    await journal.database.write(steering.append_event, run.run_id, kind, text)
    return run

"""Removes runs that ended long ago: their rows, and their folders with transcripts and logs."""

import asyncio
import re
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, case, func, select

from ..errors import Failure
from .journal import RUNS, Journal
from .runs_list import state

_OPEN = ("queued", "running", "waiting", "paused")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def age(text: str) -> timedelta:
    """`30d`, `12h`, `2w`.

    Raises:
        Failure: `invalid_age`.
    """
    if match := re.fullmatch(r"(\d{1,5})([hdw])", text):
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    raise Failure("invalid_age", f"{text!r} is no age.", "Give hours, days or weeks, such as 12h, 30d, 2w.")


async def prune(
    journal: Journal,
    folder: Path,
    older: timedelta,
    stop_times: Mapping[str, str],
    *,
    dry_run: bool,
    forget: Callable[[str], None],
) -> list[str]:
    """Remove the runs that ended longer ago than that; one that has not ended stays.

    Args:
        folder: has one folder for each run, by its id.
        stop_times: of runs that no process is at work on any more, though they are recorded as running.
        forget: removes what else is stored of a run, by its id.

    Returns:
        The runs that were removed, or (dry run) would be, oldest first.
    """
    before = (datetime.now(UTC) - older).isoformat(timespec="milliseconds")
    old = await journal.query(_ended, before, stop_times)
    for run_id in () if dry_run else old:
        # The folder first: what is cut off half way is still in the journal, and pruned the next time.
        if (folder / run_id).is_dir():
            await asyncio.to_thread(shutil.rmtree, folder / run_id)
        await asyncio.to_thread(forget, run_id)
        await journal.delete_run(run_id)
    return old


def _ended(connection: Connection, before: str, stop_times: Mapping[str, str]) -> list[str]:
    ended = func.coalesce(RUNS.c.ended_at, RUNS.c.started_at)
    if stop_times:
        ended = case(dict(stop_times), value=RUNS.c.run_id, else_=ended)
    query = select(RUNS.c.run_id).where(state(stop_times).not_in(_OPEN), ended < before).order_by(ended)
    return list(connection.scalars(query))

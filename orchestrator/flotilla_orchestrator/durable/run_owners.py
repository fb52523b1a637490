"""Which process each unfinished run belongs to, as the workflow store has it; read without loading DBOS."""

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .leases import executor_lease, held_leases
from .workflow_store import RUN_QUEUE, UNFINISHED

_COLUMNS = "workflow_uuid, status, executor_id, queue_name"
_WHICH = "name IN ('run', 'follow') AND status IN ('{}')".format("', '".join(UNFINISHED))


@dataclass(frozen=True)
class RunOwner:
    """The process or queue that an unfinished run belongs to.

    Attributes:
        lease: the name of the lease that a process has while it works on the run; None: no process has taken the run.
        resume_command: resumes the run, if no process works on it; None: nothing can.
    """

    lease: str | None
    resume_command: str | None


def unattended_runs(home: Path, url: str, without_workflow: Collection[str]) -> dict[str, RunOwner]:
    """The unfinished runs that no process is at work on, by their ids.

    Args:
        without_workflow: what is recorded as a run and is no workflow; a process has a lease of its id as well.
    """
    owners = {run_id: RunOwner(run_id, None) for run_id in without_workflow}
    owners |= {_run_id(row[0]): _owner(*row) for row in _unfinished(url)}
    held = held_leases(home, url, {owner.lease for owner in owners.values() if owner.lease})
    return {run_id: owner for run_id, owner in owners.items() if owner.lease not in held}


def _run_id(workflow_id: str) -> str:
    """Further turns are called `RUN/follow-N`."""
    return workflow_id.partition("/")[0]


def _owner(workflow_id: str, status: str, executor_id: str, queue: str | None) -> RunOwner:
    if queue != RUN_QUEUE:
        return RunOwner(_run_id(workflow_id), f"flotilla resume {_run_id(workflow_id)}")
    return RunOwner(executor_lease(executor_id) if status == "PENDING" else None, "flotilla work")


def _unfinished(url: str) -> Iterable[tuple[str, str, str, str | None]]:
    if not url.startswith("sqlite"):
        return _in_postgresql(url)
    file = Path(url.removeprefix("sqlite:///"))
    if not file.exists():
        return []
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'workflow_status'").fetchone():
            return []
        return connection.execute(f"SELECT {_COLUMNS} FROM workflow_status WHERE {_WHICH}").fetchall()


def _in_postgresql(url: str) -> Iterable[tuple[str, str, str, str | None]]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('dbos.workflow_status')").fetchone() == (None,):
            return []
        query = f"SELECT {_COLUMNS} FROM dbos.workflow_status WHERE {_WHICH}"
        return connection.execute(query.encode()).fetchall()

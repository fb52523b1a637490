"""Starts DBOS in this process; for one run, that is taken up where another process left it."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dbos import DBOS, DBOSClient, WorkflowStatus

from ..config.config import Config
from ..errors import Failure
from ..order import Order, check_inputs
from ..records.journal import Journal, Run, Status
from .cases import Cases, Opening
from .durable import Handle, kept_as
from .here import Here, enter, leave
from .leases import TakenError, leased
from .runs import follow as following
from .runs import run

VERSION = "2"  # of the workflows: a run goes on only with the steps that it began with
UNFINISHED = ["PENDING", "ENQUEUED"]
SHARED = "flotilla"  # the queue of runs that any worker process may work on
_APPLICATION = "flotilla"


@dataclass(frozen=True)
class Follow:
    """A turn after the end of a run. `name` is that of its workflow."""

    name: str
    text: str


def database_url(home: Path) -> str:
    """PostgreSQL by DATABASE_URL, else a file in `home`."""
    return os.environ.get("DATABASE_URL") or f"sqlite:///{home / 'engine.db'}"


async def run_playbook(
    config: Config, order: Order, *, home: Path, journal: Journal, opening: Opening, follow: Follow | None = None
) -> Run:
    """Execute `order` to its end, or go on with it, and record it; a failure is in the run's `error`.

    Args:
        home: where the engine keeps what it needs to go on.
        opening: starts what the run works with, in this process.
        follow: instead, one more turn of its lead.

    Raises:
        Failure: `invalid_input`; nothing was started or recorded. `run_active`: another process is at work on it.
    """
    check_inputs(config, order.playbook, order.task, order.inputs)
    url, run_id = database_url(home), order.run_id
    try:
        with leased(home, url, run_id):
            here = Here(journal, Cases(opening), url, asyncio.Semaphore(config.fleet.concurrency))
            async with launched(here, run_id, _version(run_id)):
                await (await _started(order, follow)).result()
    except TakenError as error:
        message = f"Another process is at work on {run_id}."
        raise Failure("run_active", message, "See `flotilla trace`, or end it first.") from error
    found = await journal.run(run_id)
    assert found, "it began"
    return found


def _version(run_id: str) -> str:
    """Of a run at a terminal: one of its own, so that no other process takes what of it is to be taken up."""
    return f"{VERSION}.{run_id}"


async def _started(order: Order, follow: Follow | None) -> Handle[Status]:
    if follow is None:
        return await run.start(order.run_id, order)
    return await following.start(follow.name, order, follow.text)


@asynccontextmanager
async def launched(here: Here, executor_id: str, version: str, queues: Sequence[str] = ()) -> AsyncGenerator[None]:
    """DBOS works on these queues, and on nothing else, while the block lasts. It first takes up what an earlier process
    has left that was this executor; the caller has its lease.
    """
    await asyncio.to_thread(migrate, here.database)
    DBOS(
        config={
            "name": _APPLICATION,
            "system_database_url": here.database,
            "executor_id": executor_id,
            "application_version": version,
            "log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": 0.2,
            "run_migrations": False,
        }
    )
    DBOS.listen_queues(queues)
    enter(here)
    looking = asyncio.create_task(here.watch.look())
    try:
        DBOS.launch()
        yield
    finally:
        await here.stop()
        looking.cancel()
        await asyncio.wait([looking])
        await asyncio.to_thread(DBOS.destroy)
        # It had made its own pool that of the loop, and has shut it down.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        leave()


def migrate(url: str) -> None:
    """Have the tables that DBOS needs."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            file.execute("PRAGMA journal_mode=WAL")
    DBOS.migrate(url)


@contextmanager
def connected(url: str) -> Generator[DBOSClient]:
    """What is kept of workflows, for a process that runs none."""
    migrate(url)
    client = DBOSClient(system_database_url=url, application_name=_APPLICATION)
    try:
        yield client
    finally:
        client.destroy()


def left_over(url: str, run_id: str) -> tuple[Order, Follow | None] | None:
    """What is to be gone on with, if the run has not come to its end.

    Raises:
        Failure: `run_queued`: the workers of the shared queue go on with it. `other_version`: nobody here can.
    """
    with connected(url) as client:
        found = client.list_workflows(workflow_id_prefix=run_id, status=UNFINISHED, name=["run", "follow"])
    if not found:
        return None
    workflow = found[0]
    if workflow.queue_name == SHARED:
        raise Failure("run_queued", f"{run_id} is in the shared queue.", "`flotilla work` goes on with it.")
    if workflow.app_version != _version(run_id):
        message = f"{run_id} was begun by another version of Flotilla."
        raise Failure("other_version", message, "Go on with it there, or end it with `flotilla cancel`.")
    order, *text = _input(workflow)
    return order, Follow(workflow.workflow_id, text[0]) if text else None


def next_turn(url: str, run_id: str, text: str) -> tuple[Order, Follow]:
    """A turn that follows after all that there were.

    Raises:
        Failure: `run_forgotten`: nothing of the run is kept that could go on.
    """
    with connected(url) as client:
        found = client.list_workflows(workflow_id_prefix=run_id, name=["run", "follow"])
    (run, *_) = [workflow for workflow in found if workflow.workflow_id == run_id] or [None]
    if run is None or not run.input:
        raise Failure("run_forgotten", f"Of {run_id} nothing is kept that could go on.", "Start a new run.")
    return _input(run)[0], Follow(f"{run_id}/follow-{len(found)}", text)


def _input(workflow: WorkflowStatus) -> tuple[Order, *tuple[str, ...]]:
    """What it was given: an order, and of a further turn its text."""
    assert workflow.input, "it was asked for"
    order, *text = workflow.input["args"]
    return kept_as(Order).validate_python(order), *text


def forget(url: str, run_id: str) -> None:
    """Remove a run's workflows."""
    with connected(url) as client:
        found = client.list_workflows(workflow_id_prefix=run_id, load_input=False, load_output=False)
        client.delete_workflows([workflow.workflow_id for workflow in found])

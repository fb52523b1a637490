"""The database of workflows: its address and version, and queries for processes that run no workflow.

DBOS is imported by what needs it: commands that only look at runs start without it.
"""

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import JsonValue, TypeAdapter

from ..errors import Failure
from ..journal.queue_outbox import QueuedWorkflow
from ..run_request import RunRequest
from .write_turns import write_turn

if TYPE_CHECKING:
    from dbos import DBOSClient, WorkflowStatus

VERSION = "3"  # of the workflows: a run is resumed only by the version that it began with
UNFINISHED = ["PENDING", "ENQUEUED"]
RUN_QUEUE = "flotilla"  # the queue of runs that any worker process may work on
APPLICATION = "flotilla"
JsonObject = dict[str, JsonValue]
WorkflowClient: TypeAlias = "DBOSClient"


@dataclass(frozen=True)
class FollowUp:
    """A turn after the end of a run."""

    workflow_id: str
    text: str


def database_url(home: Path) -> str:
    """PostgreSQL by DATABASE_URL, else a file in `home`."""
    return os.environ.get("DATABASE_URL") or f"sqlite:///{home / 'engine.db'}"


def version_of(run_id: str) -> str:
    """Of a run at a terminal: one of its own, so that no other process resumes its workflows."""
    return f"{VERSION}.{run_id}"


def migrate(url: str) -> None:
    """Have the tables that DBOS needs."""
    from dbos import DBOS

    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            file.execute("PRAGMA journal_mode=WAL")
    DBOS.migrate(url)


@contextmanager
def workflow_client(url: str) -> "Generator[DBOSClient]":
    """A client of the workflow store, for a process that runs no workflow."""
    from dbos import DBOSClient

    migrate(url)
    client = DBOSClient(system_database_url=url, application_name=APPLICATION)
    try:
        yield client
    finally:
        client.destroy()


def enqueue(client: "WorkflowClient", workflows: Sequence[QueuedWorkflow]) -> None:
    """Put workflows into the queue of runs, all of them or none. Of one id there is one workflow: the first.

    Raises:
        flotilla_kit.errors.StoreUnavailable: the database does not answer.
    """
    from flotilla_kit.storage import database_errors

    # A client has no public transaction of its own, and one for each workflow would wait for the disk each time.
    with database_errors(), write_turn(), client._sys_db.engine.begin() as connection:  # pyright: ignore[reportPrivateUsage]
        for workflow in workflows:
            options = {"workflow_name": workflow.name, "queue_name": RUN_QUEUE, "app_version": VERSION}
            options["workflow_id"] = workflow.workflow_id
            client.enqueue_in_transaction(connection, options, *workflow.arguments)  # pyright: ignore[reportArgumentType]  # as its TypedDict


def unfinished_workflows(client: "WorkflowClient") -> "list[WorkflowStatus]":
    """Those that all workers share, without what they were given."""
    return client.list_workflows(status=UNFINISHED, app_version=VERSION, load_input=False, load_output=False)


def unfinished_turn(url: str, run_id: str) -> tuple[RunRequest, FollowUp | None] | None:
    """What is to be gone on with, if the run has not come to its end.

    Raises:
        Failure: `run_queued`: the workers of the shared queue go on with it. `other_version`: nobody here can.
    """
    with workflow_client(url) as client:
        found = client.list_workflows(workflow_id_prefix=run_id, status=UNFINISHED, name=["run", "follow"])
    if not found:
        return None
    workflow = found[0]
    if workflow.queue_name == RUN_QUEUE:
        raise run_queued(run_id)
    if workflow.app_version != version_of(run_id):
        message = f"{run_id} was begun by another version of Flotilla."
        raise Failure("other_version", message, "Go on with it there, or end it with `flotilla cancel`.")
    request, *text = _arguments_of(workflow)
    return request, FollowUp(workflow.workflow_id, text[0]) if text else None


def run_queued(run_id: str) -> Failure:
    return Failure("run_queued", f"{run_id} is in the shared queue.", "`flotilla work` goes on with it.")


def further_turn(client: "WorkflowClient", run_id: str, text: str) -> tuple[RunRequest, FollowUp]:
    """A turn that follows after all that there were.

    Raises:
        Failure: `run_forgotten`: its workflows have been removed.
    """
    found = client.list_workflows(workflow_id_prefix=run_id, name=["run", "follow"])
    (run, *_) = [workflow for workflow in found if workflow.workflow_id == run_id] or [None]
    if run is None or not run.input:
        raise Failure("run_forgotten", f"The workflows of {run_id} have been removed.", "Start a new run.")
    return _arguments_of(run)[0], FollowUp(f"{run_id}/follow-{len(found)}", text)


def _arguments_of(workflow: "WorkflowStatus") -> tuple[RunRequest, *tuple[str, ...]]:
    """Its arguments: the request, and of a further turn its text."""
    assert workflow.input, "it was asked for"
    request, *text = workflow.input["args"]
    return adapter_of(RunRequest).validate_python(request), *text


def delete_workflows(url: str, run_id: str) -> None:
    """Remove a run's workflows."""
    with workflow_client(url) as client:
        found = client.list_workflows(workflow_id_prefix=run_id, load_input=False, load_output=False)
        client.delete_workflows([workflow.workflow_id for workflow in found])


@cache
def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """Converts values of a type to JSON and back."""
    return TypeAdapter(kind)

"""DBOS as the workflows use it: what is kept of a workflow, and how one waits for another."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import wraps
from typing import Any

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID
from pydantic import JsonValue

from ..errors import Failure
from .here import here

_POLL_S = 0.02  # how often an outcome is looked for that is about to be written down
_LATER = 1  # of priorities; a workflow without one has 0, and goes first
Said = dict[str, JsonValue]
Workflow = Callable[..., Coroutine[Any, Any, Said]]


def durable(name: str) -> Callable[[Workflow], Workflow]:
    """A workflow that DBOS keeps: whatever ends the process, another one takes it up."""

    def register(body: Workflow) -> Workflow:
        @DBOS.workflow(name=name)
        @wraps(body)
        async def workflow(*args: Any) -> Said:
            process, name = here(), str(DBOS.workflow_id)
            try:
                return await process.live(body(*args))
            finally:
                process.watch.tell(name)

        return workflow

    return register


async def started(
    name: str, workflow: Workflow, *args: Mapping[str, JsonValue], queue: str | None = None, later: bool = False
) -> Any:
    """Start a workflow in this process, or put it into a queue; `later`: behind all there that are not."""
    with SetWorkflowID(name):
        if queue is None:
            return await DBOS.start_workflow_async(workflow, *args)
        with SetEnqueueOptions(priority=_LATER if later else None):
            return await DBOS.enqueue_workflow_async(queue, workflow, *args)


async def finished(handle: Any) -> Said:
    await here().watch.until(handle.get_workflow_id())
    return await handle.get_result(polling_interval_sec=_POLL_S)


async def first(handles: list[Any]) -> Any:
    """The one of these workflows that ended first, the same again in a process that takes this one up."""
    await here().watch.first(handle.get_workflow_id() for handle in handles)
    return await DBOS.wait_first_async(handles, polling_interval_sec=_POLL_S)


async def step(name: str, body: Callable[[], Awaitable[Said]]) -> Said:
    """What `body` returns or raises as a Failure, the first time that it comes to its end."""

    async def attempt() -> Said:
        try:
            return {"value": await body()}
        except Failure as failure:
            return {"failure": failure.as_dict()}

    found: Any = await DBOS.run_step_async({"name": name}, attempt)
    if "failure" in found:
        raise Failure.from_dict(found["failure"])
    return found["value"]

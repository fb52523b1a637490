"""DBOS as the workflows use it: what is kept of a workflow, and how one waits for another.

Workflows and steps take and give dataclasses and JSON; what is kept of either is JSON.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, cast, get_type_hints

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID, WorkflowHandleAsync
from pydantic import JsonValue, TypeAdapter

from ..errors import Failure
from .executor import executor
from .workflow_store import JsonObject, adapter_of

_POLL_S = 0.02  # how often an outcome is looked for that is about to be written down
_LATER = 1  # of priorities; a workflow without one has 0, and goes first
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Handle(Generic[R]):
    """A workflow that has been started, here or elsewhere."""

    def __init__(self, found: WorkflowHandleAsync[JsonValue], kind: TypeAdapter[R]) -> None:
        self.handle, self._adapter = found, kind

    async def result(self) -> R:
        """Wait for its end."""
        await executor().watch.wait_for(self.handle.get_workflow_id())
        return self._adapter.validate_python(await self.handle.get_result(polling_interval_sec=_POLL_S))


class Workflow(Generic[P, R]):
    """A workflow that DBOS keeps: whatever ends the process, another one takes it up."""

    def __init__(self, name: str, body: Callable[P, Coroutine[Any, Any, R]]) -> None:
        hints, run = get_type_hints(body), cast("Callable[..., Coroutine[Any, Any, R]]", body)
        kind: TypeAdapter[R] = adapter_of(hints.pop("return"))
        kinds = [adapter_of(hint) for hint in hints.values()]

        @DBOS.workflow(name=name)
        @wraps(body)
        async def workflow(*said: JsonValue) -> JsonValue:
            process, workflow_id = executor(), str(DBOS.workflow_id)
            given: Any = [kind.validate_python(one) for kind, one in zip(kinds, said, strict=True)]
            try:
                return kind.dump_python(await process.run(run(*given)), mode="json")
            finally:
                process.watch.set_ended(workflow_id)

        self._kind, self._kinds, self._workflow = kind, kinds, workflow

    async def start(self, name: str, *given: P.args, **_: P.kwargs) -> Handle[R]:
        """Start it in this process, unless one of this name was started before."""
        with SetWorkflowID(name):
            return Handle(await DBOS.start_workflow_async(self._workflow, *self._dumped(given)), self._kind)

    async def enqueue(self, queue: str, name: str, later: bool, *given: P.args, **_: P.kwargs) -> Handle[R]:
        """Leave it to whichever process works on the queue; `later`: behind all there that are not."""
        with SetWorkflowID(name), SetEnqueueOptions(priority=_LATER if later else None):
            found = await DBOS.enqueue_workflow_async(queue, self._workflow, *self._dumped(given))
            return Handle(found, self._kind)

    def _dumped(self, given: Sequence[Any]) -> list[JsonValue]:
        return [kind.dump_python(one, mode="json") for kind, one in zip(self._kinds, given, strict=True)]


def workflow(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Workflow[P, R]]:
    """Makes a workflow of a function; its annotations say what it takes and gives."""
    return lambda body: Workflow(name, body)


async def first_ended(handles: Sequence[Handle[Any]]) -> Handle[Any]:
    """The one of these workflows that ended first, the same again in a process that takes this one up."""
    by_id = {handle.handle.get_workflow_id(): handle for handle in handles}
    await executor().watch.wait_for_first(by_id)
    ended = await DBOS.wait_first_async([handle.handle for handle in handles], polling_interval_sec=_POLL_S)
    return by_id[ended.get_workflow_id()]


async def step(name: str, body: Callable[P, Awaitable[T]], *given: P.args, **named: P.kwargs) -> T:
    """What `body` returns or raises as a Failure, the first time that it comes to its end."""
    kind: TypeAdapter[T] = adapter_of(get_type_hints(body)["return"])

    async def attempt() -> JsonObject:
        try:
            return {"value": kind.dump_python(await body(*given, **named), mode="json")}
        except Failure as failure:
            return {"failure": failure.as_dict()}

    found: Any = await DBOS.run_step_async({"name": name}, attempt)
    if "failure" in found:
        raise Failure.from_dict(found["failure"])
    return kind.validate_python(found["value"])


def workflow_id() -> str:
    """Of the workflow that asks."""
    return str(DBOS.workflow_id)


async def sleep(seconds: float) -> None:
    """Wait so long in all, in whichever processes."""
    await DBOS.sleep_async(seconds)


async def receive(topic: str, timeout_s: float) -> JsonObject | None:
    """The next message to this workflow; None: there was none in time."""
    return await DBOS.recv_async(topic, timeout_s)


async def send(workflow_id: str, message: JsonObject, topic: str) -> None:
    """To another workflow, from one."""
    await DBOS.send_async(workflow_id, message, topic)

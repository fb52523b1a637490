"""Workflows and steps on DBOS, with typed arguments and results.

They take and return dataclasses and JSON values; both are stored as JSON.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, cast, get_type_hints

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID, WorkflowHandleAsync
from flotilla_kit.errors import StoreUnavailable
from pydantic import JsonValue, TypeAdapter

from ..errors import Failure
from .executor import executor
from .workflow_store import JsonObject, adapter_of

_POLL_S = 0.02  # how often an outcome is looked for that is about to be written down
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Handle(Generic[R]):
    """A workflow that has been started, in this process or another."""

    def __init__(self, found: WorkflowHandleAsync[JsonValue], adapter: TypeAdapter[R]) -> None:
        self.handle, self._adapter = found, adapter

    async def result(self) -> R:
        """Wait for its end."""
        await executor().watch.wait_for(self.handle.get_workflow_id())
        return self._adapter.validate_python(await self.handle.get_result(polling_interval_sec=_POLL_S))


class Workflow(Generic[P, R]):
    """A durable function: if its process ends, another one resumes it."""

    def __init__(self, name: str, body: Callable[P, Coroutine[Any, Any, R]]) -> None:
        hints, run = get_type_hints(body), cast("Callable[..., Coroutine[Any, Any, R]]", body)
        adapter: TypeAdapter[R] = adapter_of(hints.pop("return"))
        adapters = [adapter_of(hint) for hint in hints.values()]

        @DBOS.workflow(name=name)
        @wraps(body)
        async def workflow(*arguments: JsonValue) -> JsonValue:
            process, workflow_id = executor(), str(DBOS.workflow_id)
            values: Any = [adapter.validate_python(value) for adapter, value in zip(adapters, arguments, strict=True)]
            try:
                return adapter.dump_python(await process.run(run(*values)), mode="json")
            finally:
                process.watch.set_ended(workflow_id)

        self._adapter, self._adapters, self._workflow = adapter, adapters, workflow

    async def start(self, name: str, *values: P.args, **_: P.kwargs) -> Handle[R]:
        """Start it in this process, unless one of this name was started before."""
        with SetWorkflowID(name):
            return Handle(await DBOS.start_workflow_async(self._workflow, *self._dumped(values)), self._adapter)

    async def enqueue(self, queue: str, name: str, priority: int, *values: P.args, **_: P.kwargs) -> Handle[R]:
        """Put it into a queue, for whichever process works on it; the lowest `priority` goes first, and 0 is that."""
        with SetWorkflowID(name), SetEnqueueOptions(priority=priority or None):
            found = await DBOS.enqueue_workflow_async(queue, self._workflow, *self._dumped(values))
            return Handle(found, self._adapter)

    def _dumped(self, values: Sequence[Any]) -> list[JsonValue]:
        return [adapter.dump_python(value, mode="json") for adapter, value in zip(self._adapters, values, strict=True)]


def workflow(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Workflow[P, R]]:
    """A decorator: makes a workflow of a function with annotated arguments and result."""
    return lambda body: Workflow(name, body)


async def first_ended(handles: Sequence[Handle[Any]]) -> Handle[Any]:
    """The one of these workflows that ended first, the same again in a process that resumes this one."""
    by_id = {handle.handle.get_workflow_id(): handle for handle in handles}
    await executor().watch.wait_for_first(by_id)
    ended = await DBOS.wait_first_async([handle.handle for handle in handles], polling_interval_sec=_POLL_S)
    return by_id[ended.get_workflow_id()]


async def step(name: str, body: Callable[P, Awaitable[T]], *values: P.args, **named: P.kwargs) -> T:
    """Run `body` once and store its result or Failure; in a process that resumes, return what is stored."""
    adapter: TypeAdapter[T] = adapter_of(get_type_hints(body)["return"])

    async def attempt() -> JsonObject:
        try:
            return {"value": adapter.dump_python(await body(*values, **named), mode="json")}
        except Failure as failure:
            return {"failure": failure.as_dict()}
        except StoreUnavailable:
            await executor().abandon()

    found: Any = await DBOS.run_step_async({"name": name}, attempt)
    if "failure" in found:
        raise Failure.from_dict(found["failure"])
    return adapter.validate_python(found["value"])


def workflow_id() -> str:
    """The id of the workflow that calls this."""
    return str(DBOS.workflow_id)


def run_at_work() -> str | None:
    """The run whose workflow calls this; None: none does."""
    return DBOS.workflow_id.partition("/")[0] if DBOS.workflow_id else None


async def sleep(seconds: float) -> None:
    """Wait so long in all, over all processes."""
    await DBOS.sleep_async(seconds)


async def receive(topic: str, timeout_s: float) -> JsonObject | None:
    """The next message to this workflow; None: there was none in time."""
    return await DBOS.recv_async(topic, timeout_s)


async def send(workflow_id: str, message: JsonObject, topic: str) -> None:
    """Send a message to another workflow, from a workflow."""
    await DBOS.send_async(workflow_id, message, topic)

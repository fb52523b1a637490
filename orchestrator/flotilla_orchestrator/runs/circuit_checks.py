"""Checks the circuits of a session's servers before it starts, and counts a failure of one that it could not use."""

from ..durable.workflow import step
from ..durable.workflow_store import JsonObject
from ..errors import Failure
from ..journal.journal import Span
from ..sessions.types import SessionResult
from .agent_task import AgentTask
from .context import RunContext


async def check_circuits(context: RunContext, agent_task: AgentTask) -> Failure | None:
    """Why a session may not start now: `server_circuit_open`."""
    if not (servers := context.worker(agent_task).servers):
        return None

    async def admit() -> None:
        await context.resources.circuit_breaker.check_closed(servers)

    try:
        await step("admitted", admit)
    except Failure as failure:
        return failure
    return None


async def record_unavailable(context: RunContext, span: Span, result: SessionResult) -> None:
    """Count a server that the session could not use against it."""
    failure = result.failure
    if failure is None or failure.code != "server_unavailable" or "server" not in failure.details:
        return
    server, message = str(failure.details["server"]), failure.message

    async def count() -> JsonObject:
        return (await context.resources.circuit_breaker.record_failure(server, message)).as_dict()

    span.attributes["circuit"] = await step("missed", count)

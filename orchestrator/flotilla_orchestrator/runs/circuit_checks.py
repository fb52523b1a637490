"""Sessions and the circuits of the servers that they need: who may start, and what a server that was missed is told."""

from ..durable.workflow import step
from ..durable.workflow_store import Said
from ..errors import Failure
from ..journal.journal import Span
from ..sessions.types import SessionResult
from .agent_task import Job
from .context import Case


async def admitted(case: Case, job: Job) -> Failure | None:
    """Why a session may not start now: `server_circuit_open`."""
    if not (servers := case.worker(job).servers):
        return None

    async def admit() -> None:
        await case.means.breaker.admit(servers)

    try:
        await step("admitted", admit)
    except Failure as failure:
        return failure
    return None


async def missed(case: Case, span: Span, result: SessionResult) -> None:
    """Count a server that the session could not use against it."""
    failure = result.failure
    if failure is None or failure.code != "server_unavailable" or "server" not in failure.details:
        return
    server, said = str(failure.details["server"]), failure.message

    async def count() -> Said:
        return (await case.means.breaker.failed(server, said)).as_dict()

    span.attributes["circuit"] = await step("missed", count)

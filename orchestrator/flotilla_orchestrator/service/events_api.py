"""The events of a run."""

from collections import Counter
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Header, Response
from starlette.responses import StreamingResponse

from ..errors import Failure
from .bodies import RunId
from .callers import Caller, Reader
from .events import last_seen, nothing_follows, run_events
from .problems import documented
from .resources import Resources
from .runs_api import known_run

router = APIRouter(prefix="/v1/runs", tags=["runs"])

_MOST_STREAMS = 50  # of one caller: each asks the database five times a second
_STREAM = {
    200: {
        "description": "A stream: `span`s, then the `run`",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "The run has ended, and all of it was sent"},
}
_open: Counter[str] = Counter()


@router.get("/{run_id}/events", summary="Follow a run", response_class=Response, responses=_STREAM | documented(404))
async def follow_run(
    run_id: RunId,
    caller: Reader,
    resources: Resources,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)] = None,
) -> Response:
    """Server-sent events: `span` with a span as it now is, whenever one has changed; in the end `run` with its record.

    Goes on after `Last-Event-ID`. What has changed several times meanwhile comes once, as it is now.
    """
    await known_run(resources.journal, run_id)
    seen = last_seen(last_event_id)
    if await nothing_follows(resources, run_id, seen):
        return Response(status_code=204)
    return streamed(caller, run_events(resources, run_id, seen))


def streamed(caller: Caller, events: AsyncGenerator[str]) -> StreamingResponse:
    """Server-sent events, as long as their caller listens.

    Raises:
        Failure: `rate_limited`: the caller listens to too many.
    """
    who = caller.subject or ""
    if _open[who] >= _MOST_STREAMS:
        message = f"You follow {_MOST_STREAMS} runs already."
        raise Failure("rate_limited", message, "Close a stream first.", retryable=True)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_counted(who, events), media_type="text/event-stream", headers=headers)


async def _counted(who: str, events: AsyncGenerator[str]) -> AsyncGenerator[str]:
    _open[who] += 1
    try:
        async for event in events:
            yield event
    finally:
        _open[who] -= 1

"""Pod logs: lines that are computed, not stored, and the same for the same pod every time."""

import asyncio
import math
import time
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from starlette.responses import Response, StreamingResponse

from .objects import Object, annotation, get, name_of, namespace_of, seconds_of
from .reading import whole
from .status import bad_request

SIZE = "sandbox.flotilla.dev/log-bytes"
"""Annotation of a pod: how many bytes its logs have (about)."""
_LINE_BYTES = 128
_INTERVAL_S = 2.0
"""Between two lines, unless the log has a size: then they fill the hour before the container's start."""
_HOUR_S = 3600.0
_MOST_LINES = 2_000
_CHUNK_LINES = 512
_LEVELS = ("INFO", "INFO", "INFO", "WARN", "INFO", "INFO", "DEBUG", "INFO", "INFO", "ERROR", "INFO")
_SAID = (
    "request handled", "cache refreshed", "connection opened", "slow query", "job finished", "batch written",
    "lock acquired", "health checked", "session started", "upstream timed out", "metrics flushed",
)  # fmt: skip


class Log(NamedTuple):
    """One container's log: line i was written at `start + i * interval`; the lines before `oldest` are gone."""

    seed: int
    start: float
    interval: float
    lines: int
    oldest: int = 0

    def line(self, index: int, stamps: bool) -> str:
        """Its bytes are `_LINE_BYTES`, the timestamp that was asked for not counted."""
        number = (self.seed + index * 2_654_435_761) & 0xFFFFFFFF
        at = datetime.fromtimestamp(self.start + index * self.interval, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        text = f"{_LEVELS[number % 11]:5} {_SAID[number % 11]} seq={index} duration_ms={number % 997} trace="
        return (f"{at} " if stamps else "") + f"{text}{f'{number:08x}' * 16}"[: _LINE_BYTES - 1] + "\n"

    def first_since(self, moment: float) -> int:
        """The first line that was written at a moment or later."""
        return min(self.lines, max(self.oldest, math.ceil((moment - self.start) / self.interval)))


def response(pod: Object, query: Mapping[str, str]) -> Response:
    """The answer to `pods/NAME/log`.

    Raises:
        ApiError: 400, there is no such container, it has not started, or it has no earlier run.
    """
    log = _log_of(pod, query)
    first = log.oldest
    if seconds := whole(query, "sinceSeconds"):
        first = log.first_since(time.time() - seconds)
    elif moment := query.get("sinceTime"):
        first = log.first_since(seconds_of(moment))
    if "tailLines" in query:
        first = max(first, log.lines - whole(query, "tailLines"))
    stamps, limit = query.get("timestamps") == "true", whole(query, "limitBytes")
    follow = query.get("follow") == "true" and query.get("previous") != "true"
    if follow:
        return StreamingResponse(_following(log, first, stamps), media_type="text/plain")
    return StreamingResponse(_chunks(log, first, stamps, limit), media_type="text/plain")


def _log_of(pod: Object, query: Mapping[str, str]) -> Log:
    names = [each["name"] for each in get(pod, "spec", "containers", default=[])]
    name = query.get("container") or (names[0] if len(names) == 1 else "")
    if not name:
        listed = f"[{' '.join(names)}]"
        raise bad_request(f"a container name must be specified for pod {name_of(pod)}, choose one of: {listed}")
    if name not in names:
        raise bad_request(f"container {name} is not valid for pod {name_of(pod)}")
    states: list[Object] = get(pod, "status", "containerStatuses", default=[])
    state: Object = next((each for each in states if each["name"] == name), Object())
    where = f'container "{name}" in pod "{name_of(pod)}"'
    previous = query.get("previous") == "true"
    if previous and not state.get("restartCount"):
        raise bad_request(f"previous terminated {where} not found")
    waiting = get(state, "state", "waiting", "reason")
    if (waiting and waiting != "CrashLoopBackOff") or not state:
        said = {"ImagePullBackOff": "trying and failing to pull image"}.get(
            waiting or "", waiting or "ContainerCreating"
        )
        raise bad_request(f"{where} is waiting to start: {said}")
    seed = zlib.crc32(f"{namespace_of(pod)}/{name_of(pod)}/{name}{'/previous' * previous}".encode())
    started = seconds_of(get(state, "state", "running", "startedAt") or get(pod, "metadata", "creationTimestamp"))
    if previous:
        return Log(seed, started - 600, _INTERVAL_S, 300)
    if size := annotation(pod, SIZE):
        lines = max(1, int(size) // _LINE_BYTES)
        return Log(seed, started - _HOUR_S, _HOUR_S / lines, lines)
    lines = int((time.time() - started) / _INTERVAL_S) + 1
    return Log(seed, started, _INTERVAL_S, lines, max(0, lines - _MOST_LINES))


async def _chunks(log: Log, first: int, stamps: bool, limit: int) -> AsyncIterator[bytes]:
    left = limit or None
    for chunk in _encoded(log, first, stamps):
        if left is not None:
            chunk, left = chunk[:left], left - len(chunk)
        yield chunk
        if left is not None and left <= 0:
            return
        await asyncio.sleep(0)  # others get their turn


def _encoded(log: Log, first: int, stamps: bool) -> Iterator[bytes]:
    for start in range(first, log.lines, _CHUNK_LINES):
        lines = [log.line(index, stamps) for index in range(start, min(start + _CHUNK_LINES, log.lines))]
        yield "".join(lines).encode()


async def _following(log: Log, first: int, stamps: bool) -> AsyncIterator[bytes]:
    async for chunk in _chunks(log, first, stamps, 0):
        yield chunk
    index = log.lines
    while True:
        await asyncio.sleep(min(_INTERVAL_S, 0.5))
        yield log.line(index, stamps).encode()
        index += 1

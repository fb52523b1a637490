"""Logs of a container: read as a stream and filtered on the way, so that their size does not matter."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flotilla_kit.errors import Conflict, InvalidArguments

from ..cluster.cluster import Cluster
from ..cluster.place import Place
from ..errors import InvalidObject
from ..models import Log
from . import log_lines
from .log_lines import LineKeeper

FILTER_S = 20.0
"""How long a log may be searched for a pattern."""
_CHOICE = re.compile(r"container name must be specified.{0,300}?\[([^\]]{1,300})\]")


@dataclass(frozen=True)
class LogFilter:
    """Which lines: the last `tail` of those from `since` on and before `until` in which `pattern` is found."""

    tail: int
    since: str | None = None
    until: str | None = None
    pattern: str | None = None


async def read_log(place: Place, container: str | None, previous: bool, which: LogFilter, max_bytes: int) -> Log:
    """The newest lines that fit. `place` is of a pod.

    Raises:
        InvalidArguments: the pod has several containers and none was named, or the pattern takes too long.
    """
    assert place.name is not None and place.namespace is not None, "a log is of one pod"
    params: dict[str, object] = {"container": container, "timestamps": "true", "sinceTime": which.since}
    params["previous"] = "true" if previous else None
    filtered = which.pattern is not None or which.until is not None
    if not filtered:
        params["tailLines"] = which.tail + 1
    room = max_bytes - 400
    try:
        async with place.cluster.logs(place.kind, place.name, place.namespace, params) as chunks:
            if which.pattern is None:
                lines, dropped = await _kept(chunks, which, room)
            else:
                lines, dropped = await _searched(place.cluster, chunks, which, room)
    except InvalidObject as error:
        if names := _CHOICE.search(error.message):
            raise InvalidArguments(
                "The pod has several containers.", suggestion=f"Pass container: one of {names[1]}."
            ) from None
        raise Conflict(  # it is no object: there is no such container, or it has not run yet, or not before
            error.message, suggestion="get_resource shows the pod's containers and their states; list_events says more."
        ) from None
    said = place.cluster.redactor.lines(b"\n".join(lines).decode("utf-8", errors="replace"))
    if which.pattern is not None:
        # A line must not be found by a secret in it, or that could be guessed letter by letter.
        lines, _ = await _searched(place.cluster, _once(said.encode()), which, room)
        said = b"\n".join(lines).decode("utf-8", errors="replace")
    first = said.partition(" ")[0] if said else None
    return Log(
        pod=place.name,
        container=container,
        log=said,
        lines=len(lines),
        earlier=first if dropped else None,
    )


async def _kept(chunks: AsyncIterator[bytes], which: LogFilter, room: int) -> tuple[list[bytes], bool]:
    keeper = LineKeeper(which.tail, room, until=which.until)
    async for chunk in chunks:
        keeper.feed(chunk)
        if keeper.ended:
            break
    return keeper.end(), keeper.dropped


async def _searched(
    cluster: Cluster, chunks: AsyncIterator[bytes], which: LogFilter, room: int
) -> tuple[list[bytes], bool]:
    """As `_kept`, in a process of its own."""
    asked = {"tail": which.tail, "max_bytes": room, "pattern": which.pattern, "until": which.until}
    async with cluster.searches:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(Path(log_lines.__file__)), json.dumps(asked)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            output = await asyncio.wait_for(_through(process, chunks), FILTER_S)
        except TimeoutError:
            raise InvalidArguments(
                f"The log could not be searched in {FILTER_S:g} s.",
                suggestion="Pass since for less of it, or a simpler pattern.",
            ) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    dropped, _, lines = output.partition(b"\n")
    return _lines(lines), dropped == b"1"


async def _through(process: asyncio.subprocess.Process, chunks: AsyncIterator[bytes]) -> bytes:
    assert process.stdin is not None and process.stdout is not None
    output = asyncio.create_task(process.stdout.read())
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has seen enough
            async for chunk in chunks:
                process.stdin.write(chunk)
                await process.stdin.drain()
        process.stdin.close()
        return await output
    finally:
        output.cancel()


async def _once(said: bytes) -> AsyncIterator[bytes]:
    yield said


def _lines(said: bytes) -> list[bytes]:
    return said.split(b"\n") if said else []

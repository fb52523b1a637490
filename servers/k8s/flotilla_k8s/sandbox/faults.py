"""Failures on request, so that callers' answers to them can be tested."""

import asyncio
import fnmatch
from dataclasses import dataclass

from .status import MODIFIED, ApiError, expired


@dataclass
class Fault:
    """What the next `times` requests that match are answered with.

    `failure` is `conflict` (409), `throttled` (429 with Retry-After), `internal` (500), `unavailable` (503), `timeout`
    (504), `hang` (no answer for `seconds`), `expired` (410), or `lost` (done, but answered with 500).
    Over HTTP also `forget`, at once and of no request: every watch from before has expired.
    """

    failure: str
    times: int = 1
    method: str = "*"
    path: str = "*"
    """A pattern, such as `/api/v1/*`."""
    seconds: float = 1.0

    def matches(self, method: str, path: str) -> bool:
        return self.times > 0 and fnmatch.fnmatch(method, self.method) and fnmatch.fnmatch(path, self.path)


class Faults:
    """The faults that are still to come, in order."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for a request, counted down."""
        fault = next((each for each in self._waiting if each.matches(method, path)), None)
        if fault is not None:
            fault.times -= 1
            if not fault.times:
                self._waiting.remove(fault)
        return fault


async def fail(fault: Fault) -> None:
    """Answer as the fault says.

    Raises:
        ApiError: except after `hang`, which then goes on.
    """
    match fault.failure:
        case "conflict":
            raise ApiError(409, "Conflict", f"Operation cannot be fulfilled: {MODIFIED}")
        case "throttled":
            message = "Too many requests, please try again later."
            raise ApiError(429, "TooManyRequests", message, retry_after_s=max(1, round(fault.seconds)))
        case "unavailable":
            raise ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request")
        case "timeout":
            raise ApiError(504, "Timeout", "Timeout: request did not complete within the allotted timeout")
        case "expired":
            raise expired("The provided continue parameter is too old or the revision has passed")
        case "hang":
            await asyncio.sleep(fault.seconds)
        case _:
            raise internal()


def internal() -> ApiError:
    return ApiError(500, "InternalError", "Internal error occurred: injected")

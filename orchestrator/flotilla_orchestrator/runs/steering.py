"""Reads pauses, cancellations and messages for the runs at work in this process, within a second, from any process."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from flotilla_kit.errors import StoreUnavailable

from ..errors import Failure
from ..journal import steering
from ..journal.journal import Journal
from ..journal.steering import SteeringEvent
from ..waits import first_of

T = TypeVar("T")

_POLL_S = 0.5


class Steering:
    """The steering of one run."""

    def __init__(self) -> None:
        self._known = set[int]()
        self._running, self._cancelled = asyncio.Event(), asyncio.Event()
        self._running.set()
        self._messages: list[SteeringEvent] = []
        self.on_cancel: Callable[[], None] | None = None
        self.redact: Callable[[str], str] = str
        """What a message is to those it is for."""

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    async def wait_while_paused(self) -> None:
        """Wait while the run is paused.

        Raises:
            Failure: `cancelled`.
        """
        await self.unless_cancelled(self._running.wait())

    async def unless_cancelled(self, awaited: Awaitable[T]) -> T:
        """Raises Failure `cancelled`, as soon as the run is."""
        future = await first_of(awaited, self._cancelled)
        if self.cancelled:
            raise cancellation()
        return future.result()

    def apply(self, event: SteeringEvent) -> None:
        """Take notice of an event of the run, unless it is known."""
        if event.seq in self._known:
            return
        self._known.add(event.seq)
        match event.kind:
            case "pause":
                self._running.clear()
            case "resume":
                self._running.set()
            case "cancel":
                self._cancelled.set()
                if self.on_cancel:
                    self.on_cancel()
            case "message":
                self._messages.append(event)

    def inbox_for(self, transcript: str | None) -> "RunInbox":
        """The inbox of an agent.

        Args:
            transcript: of the agent so far; None: messages are not for it.
        """
        delivered = (
            None
            if transcript is None
            else {event.seq for event in self._messages if _message_mark(event) in transcript}
        )
        return RunInbox(self, delivered)

    def messages(self, delivered: Collection[int]) -> list[SteeringEvent]:
        """The messages that were not delivered yet."""
        return [event for event in self._messages if event.seq not in delivered]


class RunInbox:
    """Delivers each message once."""

    def __init__(self, steering: Steering, delivered: set[int] | None) -> None:
        self._steering, self._delivered = steering, delivered

    @property
    def paused(self) -> bool:
        return self._steering.paused

    def take_messages(self) -> str:
        if self._delivered is None:
            return ""
        events = self._steering.messages(self._delivered)
        self._delivered |= {event.seq for event in events}
        return "\n".join(f"{_message_mark(event)} {self._steering.redact(event.text)}" for event in events)


def _message_mark(event: SteeringEvent) -> str:
    """The first words of a delivered message; in a transcript, they show that it was delivered."""
    return f"[message {event.seq} from the person in charge]"


def cancellation() -> Failure:
    return Failure("cancelled", "The run was cancelled.", "What was done before stays done; `flotilla trace` has it.")


class SteeringWatch:
    """Keeps the steering of all runs at work in this process up to date: one query for all of them, however many."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._watched: dict[str, Steering] = {}
        self._polling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watched(self, run_id: str) -> AsyncGenerator[Steering]:
        """A run's steering, kept up to date while the block lasts."""
        found = self._watched[run_id] = Steering()
        try:
            for event in await self._journal.query(steering.events_of, run_id):
                found.apply(event)
            self._polling = self._polling or asyncio.create_task(self._poll())
            yield found
        finally:
            del self._watched[run_id]
            if self._polling and not self._watched:
                self._polling.cancel()
                self._polling = None

    async def _poll(self) -> None:
        newest = 0
        while True:
            with suppress(StoreUnavailable):  # it is tried again
                newest, events = await self._journal.query(steering.latest_events, newest)
                for run_id, event in events:
                    if run_id in self._watched:
                        self._watched[run_id].apply(event)
            await asyncio.sleep(_POLL_S)

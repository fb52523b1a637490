"""A session that lives in this process: one task, from its slot to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context

from ..sessions.call_recorder import CallRecorder
from ..sessions.session import run_session
from ..sessions.transcript_store import TranscriptStore
from ..sessions.types import Session, SessionResult
from .slots import Slots


class LiveSession:
    """A session that starts as soon as it has a slot, and is asked once that is known.

    Args:
        make: makes it, once it has its slot.
        store: of its transcript.
    """

    def __init__(
        self, slots: Slots, make: Callable[[], Awaitable[Session]], recorder: CallRecorder, store: TranscriptStore
    ) -> None:
        loop = asyncio.get_running_loop()
        self._store = store
        self._made: asyncio.Future[Session] = loop.create_future()
        self._prompt: asyncio.Future[str] = loop.create_future()

        async def run() -> SessionResult:
            async with slots:
                session = await make()
                self._made.set_result(session)
                return await run_session(session, recorder, self._prompt)

        self._running = loop.create_task(run(), context=Context())  # of no workflow: it may outlive the one it is in

    async def made(self) -> Session:
        """The session, once it has its slot."""
        await asyncio.wait([self._made, self._running], return_when=asyncio.FIRST_COMPLETED)
        if not self._made.done():
            await self._running  # raises why it could not be made
        return self._made.result()

    async def ask(self, prompt: str) -> SessionResult:
        self._prompt.set_result(prompt)
        return await asyncio.shield(self._running)

    async def end(self) -> None:
        """End it, if it has not ended; store nothing of how, so that it can resume with the call that it is in."""
        self._store.freeze()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

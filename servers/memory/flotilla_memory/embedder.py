"""The task that gives passages their vectors: those just written, imported, or of a store that had no encoder."""

import asyncio
import logging
from contextlib import suppress

from flotilla_kit.storage import Database
from sqlalchemy.exc import IntegrityError

from .encoding.encoder import Encoder
from .writing import embedding

log = logging.getLogger(__name__)
LOOK_EVERY_S = 30  # another process may have written passages
AGAIN_AFTER_S = 5


class Embedder:
    """Encodes in a thread of its own, a batch at a time; between batches others write.

    A write does not encode: a thousand passages take seconds, in which no other process could write to SQLite, and a
    process without the encoder writes passages too. Until its vector is there, a passage is found by its words.
    """

    def __init__(self, database: Database, encoder: Encoder) -> None:
        self._database = database
        self._encoder = encoder
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Go on until closed."""
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Say that passages were written."""
        self._woken.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        adopted = False
        while True:
            self._woken.clear()
            try:
                if not adopted:
                    name = await asyncio.to_thread(lambda: self._encoder.name)
                    if other := await self._database.write(embedding.adopt, name):
                        log.warning("The vectors of %d accounts were of another encoder; they are made anew.", other)
                    adopted = True
                await self.finish()
            except Exception:  # the search goes on by words, and the next round may succeed
                log.warning("Passages could not be given vectors.", exc_info=True)
                await asyncio.sleep(AGAIN_AFTER_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_EVERY_S)

    async def finish(self) -> None:
        """Give every passage that has none its vector."""
        encoder = self._encoder
        while (found := await self._database.read(embedding.waiting, encoder.name)) and found.texts:
            made = await asyncio.to_thread(encoder.encode_all, [text for _, text in found.texts])
            try:
                await self._database.write(embedding.keep, encoder.name, found, made)
            except IntegrityError:
                continue  # a passage was erased at the same moment

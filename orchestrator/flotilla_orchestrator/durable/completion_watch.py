"""Waits for the end of other workflows, with one query for all that this process waits for.

Hundreds may wait for days, each for another workflow; a query for each would keep the database busy.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from dbos import DBOS

logger = logging.getLogger(__name__)

_POLL_S = 0.5  # what this process runs itself it hears of at once
_OPEN = ("ENQUEUED", "DELAYED", "PENDING")


class CompletionWatch:
    def __init__(self) -> None:
        self._awaited: dict[str, set[asyncio.Event]] = {}
        self._more = asyncio.Event()

    def count(self) -> int:
        """The end of how many is waited for."""
        return len(self._awaited)

    async def wait_for(self, workflow_id: str) -> None:
        """Wait until it has come to its end."""
        ended = asyncio.Event()
        self._awaited.setdefault(workflow_id, set()).add(ended)
        self._more.set()
        try:
            await ended.wait()
        finally:
            self._awaited[workflow_id].discard(ended)
            if not self._awaited[workflow_id]:
                del self._awaited[workflow_id]

    async def wait_for_first(self, workflow_ids: Iterable[str]) -> None:
        """Wait until one of them has."""
        waits = [asyncio.create_task(self.wait_for(workflow_id)) for workflow_id in workflow_ids]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def set_ended(self, workflow_id: str) -> None:
        for waiting in self._awaited.get(workflow_id, ()):
            waiting.set()

    async def poll(self) -> None:
        """Look for what other processes did, until cancelled; not to be called in a workflow."""
        while True:
            self._more.clear()
            try:
                await self._poll_once()
            except Exception:  # what is waited for now is asked for again
                logger.exception("the workflows' states cannot be read")
            with suppress(TimeoutError):
                # Not `wait_for`: in Python 3.11 it can lose a cancellation that comes with what it waits for.
                async with asyncio.timeout(_POLL_S if self._awaited else None):
                    await self._more.wait()

    async def _poll_once(self) -> None:
        ids = sorted(self._awaited)
        found = await DBOS.list_workflows_async(workflow_ids=ids, load_input=False, load_output=False) if ids else []
        for workflow in found:
            if workflow.status not in _OPEN:
                self.set_ended(workflow.workflow_id)

"""A part of a session: up to the next call that has to be waited for, or to its end, in whichever process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from claude_agent_sdk import project_key_for_directory
from claude_agent_sdk.types import SessionKey
from flotilla_kit.effects import faults

from ..durable.workflow import durable
from ..errors import Failure
from ..journal.journal import Span, session_id
from ..sessions.call_recorder import Calls
from ..sessions.session import run_session, work_folder
from ..sessions.transcript import Past
from ..sessions.transcript_store import Transcripts
from ..sessions.types import Session, SessionResult
from .agent_task import Job
from .context import Case
from .process import process
from .steering import Listener, cancellation

_NOTE_S = 5  # so often is the time at work noted; that much a crash can lose


@durable("session")
async def session(job: Job, counted: SessionResult, say: str) -> SessionResult:
    """The next part of a session.

    Args:
        say: what to go on with, if the last part came to an end.
    """
    async with process().slots, process().contexts.use(job.order) as case:
        try:
            span = await case.means.journal.span(job.span_id)
            assert span, "it began before its first part"
            faults.point("part_begins")
            return await _Part(case, job, span, counted).run(say)
        except Failure as failure:
            return SessionResult(failure=failure)


async def listener(case: Case, job: Job) -> Listener:
    """What has been said to a session, and what of it it has heard."""
    store, key = _store(case, case.agent(job).session_id)
    return case.steering.heard_by(Past(await store.load(key) or []).text)


async def turns_so_far(case: Case, span_id: str) -> int:
    """Of the session with this span."""
    store, key = _store(case, session_id(span_id))
    return Past(await store.load(key) or []).turns


def _store(case: Case, known_as: str) -> tuple[Transcripts, SessionKey]:
    """Where a session's transcript is."""
    project = project_key_for_directory(work_folder(case.means.folder))
    store = Transcripts(case.means.journal.database)  # pyright: ignore[reportAbstractUsage]  # a method it lacks is optional
    return store, {"project_key": project, "session_id": known_as}


class _Part:
    """A part in this process: it goes on with what earlier ones have left of the session.

    Args:
        counted: the parts before this one; ``held`` is the call to go on with, decided meanwhile.
    """

    def __init__(self, case: Case, job: Job, span: Span, counted: SessionResult) -> None:
        self._case, self._job, self._counted, self._agent = case, job, counted, case.agent(job)
        self._calls = Calls(case.means.journal, span, case.means.breaker)
        self._store, self._key = _store(case, self._agent.session_id)

    async def run(self, say: str) -> SessionResult:
        """Its result; whatever goes wrong is in it, and so is what an earlier process could not report."""
        past = await self._past()
        lost = self._used(past, self._counted.turns)
        if lost.turns and (ended := past.ended(self._agent.output)):
            await self._calls.catch_up(past.results())
            return lost.then(ended)
        say = "" if lost.turns else say  # else it had come to its end, and nothing is lost
        past = await self._mended(past, lost, said=bool(say))
        entry, so_far = await self._case.ledger.entry(self._job.span_id), self._counted.then(lost)
        try:
            turns, usd = entry.left(so_far.turns, so_far.cost_usd)
        except Failure as failure:  # an earlier process had used it up, and did not live to say so
            return replace(lost, failure=failure)
        async with _time_noted(self._case):
            result = await _undisturbed(await self._session(past, say, turns, usd), self._calls, self._store)
        if result.cost_usd is None:  # it ended without a word of that
            used = self._used(await self._past(), so_far.turns)
            tokens = {"input_tokens": used.input_tokens, "output_tokens": used.output_tokens}
            result = replace(result, cost_usd=used.cost_usd, **tokens)
        if self._case.steering.cancelled:
            result = replace(result, failure=cancellation(), waiting=None, delegated=None, paused=None)
        faults.point("part_ends")
        if result.failure and result.failure.code in ("turns_exceeded", "budget_exceeded"):
            total = so_far.then(result)
            result.failure = entry.exceeded(result.failure.code, total.turns, total.cost_usd)
        return lost.then(result) if lost.turns else result

    async def _past(self) -> Past:
        return Past(await self._store.load(self._key) or [])

    def _used(self, past: Past, turns: int) -> SessionResult:
        """What was used after so many turns of this job."""
        return past.used(self._case.means.config.prices, self._agent.model, self._job.before + turns)

    async def _mended(self, past: Past, lost: SessionResult, said: bool) -> Past:
        """The transcript, so that the CLI goes on where it broke off, with what was lost made good in the records."""
        if past.begun and not said and (in_vain := await self._calls.lost(past.calls())):
            usd = in_vain * past.next_cost(self._case.means.config.prices, self._agent.model)
            await self._case.ledger.lose(self._job.span_id, in_vain, usd)
        if lost.turns:
            await self._calls.catch_up(past.results())
        if past.begun and not past.turns:  # as if it had not begun
            await self._store.delete(self._key)
            return Past([])
        if mark := past.deferral():
            await self._store.append(self._key, [mark])
        return past

    async def _session(self, past: Past, say: str, turns: int, usd: float) -> Session:
        """What it may use now; it goes on with the call that it waited for, one that was cut off, or a prompt."""
        call, decided = past.unanswered(), self._counted.held
        if decided and (call is None or call["id"] != decided.tool_use_id):
            decided = None  # an earlier process went on with it
        session = self._agent.session(self._store, turns, usd, await self._case.clock(self._job.span_id), decided)
        if past.begun and not decided:
            session = replace(session, goes_on="with_call" if call else "with_prompt", go_on=say or session.go_on)
        heard = past.text if self._job.result_wanted else None
        return replace(session, steer=self._case.steering.heard_by(heard), recorded=self._store.recorded)


@asynccontextmanager
async def _time_noted(case: Case) -> AsyncGenerator[None]:
    """The ledger hears of the time at work, and this process of that of others."""

    async def now_and_then() -> None:
        while True:
            await asyncio.sleep(_NOTE_S)
            await case.note_time()

    noting = asyncio.create_task(now_and_then())
    try:
        yield
    finally:
        noting.cancel()
        await asyncio.gather(noting, return_exceptions=True)
        await case.note_time()


async def _undisturbed(session: Session, calls: Calls, store: Transcripts) -> SessionResult:
    """Cut off, the session shall go on later with the call that it is in: how it ends now is not kept."""
    running = asyncio.create_task(run_session(session, calls))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        store.freeze()
        running.cancel()
        await asyncio.wait([running])
        raise

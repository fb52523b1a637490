"""A part of a session: up to the next call that has to be waited for, or to its end, in whichever process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from claude_agent_sdk import project_key_for_directory
from claude_agent_sdk.types import SessionKey
from flotilla_kit import faults

from ..errors import Failure
from ..sessions.calls import Calls
from ..sessions.past import Past
from ..sessions.session import run_session, work_folder
from ..sessions.types import Session, SessionResult
from .cases import Case, Job
from .durable import durable
from .here import here
from .steering import Listener, cancellation
from .transcripts import Transcripts

_NOTE_S = 5  # so often is the time at work noted; that much a crash can lose


@durable("session")
async def session(job: Job, counted: SessionResult, say: str) -> SessionResult:
    """The next part of a session.

    Args:
        say: what to go on with, if the last part came to an end.
    """
    async with here().slots, here().cases.use(job.order) as case:
        try:
            return await run_part(case, job, counted, say)
        except Failure as failure:
            return SessionResult(failure=failure)


async def listener(case: Case, job: Job) -> Listener:
    """What has been said to a session, and what of it it has heard."""
    store, key = _store(case, job)
    return case.steering.heard_by(Past(await store.load(key) or []).text)


async def turns_so_far(case: Case, span_id: str) -> int:
    """Of the session with this span."""
    project, session_id = project_key_for_directory(work_folder(case.means.folder)), str(UUID(span_id))
    store = Transcripts(case.means.journal.database)  # pyright: ignore[reportAbstractUsage]  # a method it lacks is optional
    entries = await store.load({"project_key": project, "session_id": session_id})
    return Past(entries or []).used(case.means.config.prices, "").turns


def _store(case: Case, job: Job) -> tuple[Transcripts, SessionKey]:
    """Where the session's transcript is."""
    project, session_id = project_key_for_directory(work_folder(case.means.folder)), case.agent(job).session_id
    store = Transcripts(case.means.journal.database)  # pyright: ignore[reportAbstractUsage]  # a method it lacks is optional
    return store, {"project_key": project, "session_id": session_id}


async def run_part(case: Case, job: Job, counted: SessionResult, say: str = "") -> SessionResult:
    """Go on with a session; whatever goes wrong is in the result, and so is what an earlier process could not report.

    Args:
        counted: the parts before this one; ``held` is the call to go on with, decided meanwhile.
    """
    journal, agent = case.means.journal, case.agent(job)
    span = await journal.span(job.span_id)
    assert span, "it began before its first part"
    faults.point("part_begins")
    store, key = _store(case, job)
    past = Past(await store.load(key) or [])
    prices, model = case.means.config.prices, agent.model
    calls = Calls(journal, span, case.means.breaker)
    lost = past.used(prices, model, job.before + counted.turns)
    if lost.turns and (ended := past.ended(agent.output)):
        await calls.catch_up(past.results())
        return lost.then(ended)
    told = bool(say) and not lost.turns  # it had come to its end, and nothing is lost
    if past.begun and not told and (in_vain := await calls.lost(past.calls())):
        await case.ledger.lose(job.span_id, in_vain, in_vain * past.next_cost(prices, model))
    if lost.turns:
        await calls.catch_up(past.results())
    if past.begun and not past.used(prices, model).turns:  # it had not been answered: as if it had not begun
        await store.delete(key)
        past = Past([])
    call = past.unanswered()
    if mark := past.deferral():
        await store.append(key, [mark])
    decided = counted.held
    if decided and (call is None or call["id"] != decided.tool_use_id):
        decided = None  # an earlier process went on with it
    entry, so_far = await case.ledger.entry(job.span_id), counted.then(lost)
    try:
        turns, usd = entry.left(so_far.turns, so_far.cost_usd)
    except Failure as failure:  # an earlier process had used it up, and did not live to say so
        return replace(lost, failure=failure)
    session = agent.session(store, turns, usd, await case.clock(job.span_id), decided)
    if past.begun and not decided:
        session = replace(session, goes_on="with_call" if call else "with_prompt")
        if told:
            session = replace(session, go_on=say)
    session = replace(session, steer=case.steering.heard_by(past.text if job.result_wanted else None))
    async with _time_noted(case):
        result = await _undisturbed(session, calls, store)
    if result.cost_usd is None:  # it ended without a word of that
        told = Past(await store.load(key) or []).used(prices, model, job.before + so_far.turns)
        result = replace(
            result, cost_usd=told.cost_usd, input_tokens=told.input_tokens, output_tokens=told.output_tokens
        )
    if case.steering.cancelled:
        result = replace(result, failure=cancellation(), waiting=None, delegated=None, paused=None)
    faults.point("part_ends")
    if result.failure and result.failure.code in ("turns_exceeded", "budget_exceeded"):
        total = so_far.then(result)
        result.failure = entry.exceeded(result.failure.code, total.turns, total.cost_usd)
    return lost.then(result) if lost.turns else result


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
    running = asyncio.create_task(run_session(replace(session, recorded=store.recorded), calls))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        store.freeze()
        running.cancel()
        await asyncio.wait([running])
        raise

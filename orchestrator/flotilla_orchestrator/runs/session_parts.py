"""The workflow of a part of a session: to the next call that has to wait, or to the end, in any process."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from claude_agent_sdk import project_key_for_directory
from claude_agent_sdk.types import McpHttpServerConfig, SessionKey
from flotilla_kit.effects import faults
from flotilla_kit.telemetry.trace_context import TRACEPARENT

from ..durable.workflow import workflow, workflow_id
from ..errors import Failure
from ..journal.artifacts import Author
from ..journal.journal import Span, session_id
from ..sessions.artifact_tools import ArtifactTools
from ..sessions.call_recorder import CallRecorder
from ..sessions.deadline import Deadline
from ..sessions.session import work_folder
from ..sessions.session_audit import SessionAudit, digest
from ..sessions.transcript import Transcript
from ..sessions.transcript_store import TranscriptStore
from ..sessions.types import Session, SessionResult
from .agent_task import AgentTask
from .call_waits import CallWaits
from .context import RunContext
from .early_workers import EarlyWorkers
from .live_session import LiveSession
from .process import process
from .session_record import guarded
from .steering import RunInbox, cancellation


@workflow("session")
async def session_part(agent_task: AgentTask, so_far: SessionResult, prompt: str) -> SessionResult:
    """Run the next part of a session.

    Args:
        so_far: the result of the parts before it.
        prompt: to continue with, if the last part ended without a pending call.
    """
    async with process().contexts.use(agent_task.request) as context:
        try:
            faults.point("part_begins")
            part = _SessionPart(context, agent_task, workflow_id().rpartition("#")[0], so_far)
            result = await part.run(prompt)
            return guarded(context, context.agent(agent_task).output, result)
        except Failure as failure:
            return SessionResult(failure=failure)


async def inbox_of(context: RunContext, agent_task: AgentTask) -> RunInbox:
    """The inbox of a session, without the messages that its transcript has already."""
    store, key = _store(context, context.agent(agent_task).session_id)
    return context.steering.inbox_for(Transcript(await store.load(key) or []).text)


async def turns_so_far(context: RunContext, span_id: str) -> int:
    """Of the session with this span."""
    store, key = _store(context, session_id(span_id))
    return Transcript(await store.load(key) or []).turns


def _store(context: RunContext, session_id: str) -> tuple[TranscriptStore, SessionKey]:
    """Where a session's transcript is."""
    project = project_key_for_directory(work_folder(context.resources.folder))
    store = TranscriptStore(context.resources.journal.database)  # pyright: ignore[reportAbstractUsage]  # a method it lacks is optional
    return store, {"project_key": project, "session_id": session_id}


class _SessionPart:
    """A part in this process: it continues what earlier ones have left of the session.

    Args:
        name: of the workflow of the whole session.
        so_far: the result of the parts before this one, with the call to resume, decided meanwhile.
    """

    def __init__(self, context: RunContext, agent_task: AgentTask, name: str, so_far: SessionResult) -> None:
        self._context, self._task, self._so_far, self._agent = context, agent_task, so_far, context.agent(agent_task)
        run_id, parent_id, worker = agent_task.request.run_id, agent_task.parent_span_id, agent_task.worker
        span = Span(run_id, parent_id, "session", worker, {}, agent_task.span_id)
        self._audit = SessionAudit(context.resources.folder, span)
        self._recorder = CallRecorder(context.resources.journal, span, self._audit, context.resources.circuit_breaker)
        self._store, self._key = _store(context, self._agent.session_id)
        given = context.resources.config.fleet.limits.session_wait_s
        self._wait_s = process().session_wait_s if given is None else given
        self._workflow = name
        self._waits = CallWaits(context, agent_task, name, self._recorder, self._wait_s)
        self._early_workers = EarlyWorkers(context, agent_task, name, _early_session)

    async def run(self, prompt: str) -> SessionResult:
        """Its result; whatever goes wrong is in it, and so is what an earlier process could not report."""
        transcript = await self._transcript()
        unreported = self._usage(transcript, self._so_far.turns)
        if unreported.turns and (ended := transcript.final_result(self._agent.output)):
            await self._recorder.end_answered_calls(transcript.results())
            return unreported.merge(ended)
        prompt = "" if unreported.turns else prompt  # else it has ended, and nothing is lost
        transcript = await self._repaired(transcript, unreported, has_new_prompt=bool(prompt))
        ledger_entry, so_far = await self._context.ledger.entry(self._task.span_id), self._so_far.merge(unreported)
        try:
            turns, usd = ledger_entry.remaining(so_far.turns, so_far.cost_usd)
        except Failure as failure:  # an earlier process had used it up and died
            return replace(unreported, failure=failure)
        result = await self._result(partial(self.start, transcript, prompt, turns, usd), (turns, usd))
        await self._waits.end(deferred=result.pending_call is not None)
        if result.cost_usd is None:  # it ended without a cost
            used = self._usage(await self._transcript(), so_far.turns)
            tokens = {"input_tokens": used.input_tokens, "output_tokens": used.output_tokens}
            result = replace(result, cost_usd=used.cost_usd, **tokens)
        if self._context.steering.cancelled:
            result = replace(
                result, failure=cancellation(), pending_approval=None, pending_delegation=None, pending_pause=None
            )
        faults.point("part_ends")
        if result.failure and result.failure.code in ("turns_exceeded", "budget_exceeded"):
            total = so_far.merge(result)
            result.failure = ledger_entry.exceeded(result.failure.code, total.turns, total.cost_usd)
        return unreported.merge(result) if unreported.turns else result

    def start(
        self, transcript: Transcript, prompt: str, turns: int, usd: float, deadline: Deadline | None = None
    ) -> LiveSession:
        make = partial(self._session, transcript, prompt, turns, usd, deadline)
        return LiveSession(process().slots, make, self._recorder, self._store)

    async def _result(self, start: Callable[[], LiveSession], limits: tuple[int, float]) -> SessionResult:
        early, span_id = self._context.early_sessions, self._task.span_id
        live = early.get(span_id) or start()
        early[span_id] = None
        try:
            session = await live.made()
            if (session.max_turns, session.budget_usd) != limits:  # it was started early, and less is left
                await live.end()
                live = start()
                session = await live.made()
            self._context.adopt_deadline(self._task.span_id, session.deadline)
            self._write_begin(replace(session, prompt=self._task.task))
            async with self._context.time_recorded():
                return await live.ask(self._task.task)
        finally:
            await live.end()
            await self._early_workers.end()

    async def _transcript(self) -> Transcript:
        return Transcript(await self._store.load(self._key) or [])

    def _usage(self, transcript: Transcript, turns: int) -> SessionResult:
        """What was used after so many turns of this task."""
        return transcript.usage(
            self._context.resources.config.prices, self._agent.model, self._task.turns_before + turns
        )

    async def _repaired(self, transcript: Transcript, unreported: SessionResult, has_new_prompt: bool) -> Transcript:
        """The transcript, completed so that the CLI can continue it; calls that were lost are recorded as such."""
        if not has_new_prompt and (
            lost_calls := await self._recorder.mark_lost_calls(transcript.call_ids(), began=transcript.has_prompt)
        ):
            usd = lost_calls * transcript.estimated_next_cost(self._context.resources.config.prices, self._agent.model)
            await self._context.ledger.record_lost(self._task.span_id, lost_calls, usd)
        if unreported.turns:
            await self._recorder.end_answered_calls(transcript.results())
        if transcript.has_prompt and not transcript.turns:  # as if it had not begun
            await self._store.delete(self._key)
            return Transcript([])
        if deferral := transcript.deferral_entry():
            await self._store.append(self._key, [deferral])
        return transcript

    async def _session(
        self, transcript: Transcript, prompt: str, turns: int, usd: float, deadline: Deadline | None
    ) -> Session:
        """The session of this part: it resumes with the call that it waited for, an unanswered call, or a prompt."""
        call, resumed_call = transcript.unanswered_call(), self._so_far.pending_call
        if resumed_call and (call is None or call["id"] != resumed_call.tool_use_id):
            resumed_call = None  # an earlier process resumed it
        session = self._agent.session(
            self._store,
            turns,
            usd,
            deadline or await self._context.deadline_of(self._task.span_id),
            resumed_call,
            self._artifacts(),
        )
        if transcript.has_prompt and not resumed_call:
            session = replace(
                session,
                resumes_with="with_call" if call else "with_prompt",
                resume_prompt=prompt or session.resume_prompt,
            )
        delivered_to = transcript.text if self._task.gives_run_result else None
        return replace(
            session,
            servers=self._traced(session.servers),
            inbox=self._context.steering.inbox_for(delivered_to),
            wait_until_recorded=self._store.wait_until_recorded,
            wait=self._waits.wait,
            wait_s=self._wait_s,
            on_stream=self._early_workers.read if self._context.worker(self._task).delegates else None,
        )

    def _write_begin(self, session: Session) -> None:
        given = session.resume_prompt if session.resumes_with == "with_prompt" else session.prompt
        self._audit.write(
            "session_resumed" if session.resumes_a_call or session.resumes_with else "session_began",
            run_id=self._task.request.run_id,
            agent=session.agent,
            model=session.model if self._task.request.model == "claude" else self._task.request.model,
            system_prompt_sha256=digest(session.system_prompt),
            prompt_sha256=None if session.resumes_a_call else digest(given),
        )

    def _traced(self, servers: Mapping[str, McpHttpServerConfig]) -> Mapping[str, McpHttpServerConfig]:
        """The servers, with this session's span where requests carry the run's."""
        if not (traces := self._context.resources.traces):
            return servers
        headers = traces.session_headers(self._task.request.run_id, self._task.span_id)
        traced = dict(servers)
        for name, server in servers.items():
            given = server.get("headers", {})
            if TRACEPARENT in given:
                traced[name] = {**server, "headers": {**given, **headers}}
        return traced

    def _artifacts(self) -> ArtifactTools | None:
        resources, worker = self._context.resources, self._context.worker(self._task)
        if not worker.artifacts:
            return None
        author = Author(self._task.request.run_id, worker.name, self._workflow)
        return ArtifactTools(resources.journal, author, resources.config.fleet.limits.artifacts)


def _early_session(context: RunContext, agent_task: AgentTask, name: str, deadline: Deadline) -> LiveSession:
    """The new session of a worker whose task is not known yet."""
    allowed, part = agent_task.allowance, _SessionPart(context, agent_task, name, SessionResult())
    return part.start(Transcript([]), "", allowed.max_turns, allowed.budget_usd, deadline)

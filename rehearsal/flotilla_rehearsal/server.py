"""A Messages API on 127.0.0.1 that answers from scripts, in the caller's own event loop.

Every agent has its own base URL, by which a request says who is asking.
"""

import asyncio
import os
import socket
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Self

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from flotilla_rehearsal import responses
from flotilla_rehearsal.environment import session_environment
from flotilla_rehearsal.messages_api import MessagesRequest
from flotilla_rehearsal.script import Misbehaviour, Script, ScriptError, Scripts
from flotilla_rehearsal.scripted_model import ScriptedTurn, answer_content, next_turn
from flotilla_rehearsal.suggestions import did_you_mean

_PIECES = 20  # of each block of an answer that takes its time


@dataclass(frozen=True)
class RecordedRequest:
    """One request for an answer."""

    at: datetime
    agent: str
    session_id: str
    """Of the Claude CLI; empty for other clients."""
    tools: tuple[str, ...]
    """Names of the tools that the model saw."""
    messages: int
    """How many there were."""
    answer: str
    """`turn 2`, `turn 2: 529`, or what is wrong with the script."""
    model: str
    """The one that was asked for."""
    task: str
    """Text of the first user message."""
    system: str
    """Text of the system prompt."""


class Rehearsal:
    """A Messages API that answers from `scripts`, as long as its context is open.

    Attributes:
        requests: the last 1,000 requests for an answer, oldest first.
        model_seconds: by agent, the time from a request's arrival to the end of its response, summed.
    """

    def __init__(self, scripts: Scripts) -> None:
        self.requests: deque[RecordedRequest] = deque(maxlen=1000)
        self.model_seconds: defaultdict[str, float] = defaultdict(float)
        self._agents = scripts.agents
        self._misbehaved: Counter[tuple[str, int, int]] = Counter()
        self._closing = asyncio.Event()
        self._routes = Starlette(
            routes=[
                Route("/{agent}/v1/messages", self._messages, methods=["POST"]),
                Route("/{agent}/v1/messages/count_tokens", _count_tokens, methods=["POST"]),
            ]
        )
        # Logging belongs to the caller (log_config); the timeout is for a client that stops reading.
        config = uvicorn.Config(
            self._app,
            interface="asgi3",  # uvicorn cannot tell from a bound method
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._socket = socket.socket()

    async def __aenter__(self) -> Self:
        # Bound and listening at once: a client that connects before the server runs waits in the backlog.
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self._port: int = self._socket.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await self._server.ready.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        self._server.should_exit = True
        await self._serving

    def url(self, agent: str) -> str:
        """The base URL for one agent's sessions."""
        return f"http://127.0.0.1:{self._port}/{agent}"

    def environment(self, config_folder: Path, agent: str = "") -> dict[str, str]:
        """Variables that have a session answered here: `ClaudeAgentOptions(env=…)`.

        The SDK adds them to those of the process, so credentials, providers and proxies found there are overridden.

        Args:
            config_folder: where the CLI keeps its settings and transcripts; never the one of a person.
            agent: whose script it is; may be left out where there is only one.

        Raises:
            ValueError: the scripts have no such agent, or several and none is named.
        """
        name = agent or (next(iter(self._agents)) if len(self._agents) == 1 else "")
        if name not in self._agents:
            raise ValueError(f"there is no agent {name!r}{did_you_mean(name, self._agents)}")
        return session_environment(self.url(name), config_folder, os.environ)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = perf_counter()
        try:
            await self._routes(scope, receive, send)
        finally:
            if agent := scope.get("path_params", {}).get("agent"):
                self.model_seconds[agent] += perf_counter() - received

    async def _messages(self, request: Request) -> Response:
        agent: str = request.path_params["agent"]
        body = await request.body()
        try:
            asked = MessagesRequest.model_validate_json(body)
        except ValidationError as error:
            return _error_response(400, f"not a Messages API request: {error}")
        try:
            scripts = self._scripts(agent)
            scripted = next_turn(scripts, asked)
            fault = self._fault(agent, scripted)
            content = answer_content(scripted, asked)
        except ScriptError as error:
            self._record(request, agent, asked, str(error))
            return _error_response(400, f"rehearsal script of {agent}: {error}")
        self._record(request, agent, asked, f"turn {scripted.number}" + (f": {fault}" if fault else ""))
        if fault == "never":
            await self._wait(request, None)
            return _error_response(500, "the rehearsal is over")
        turn = scripted.turn
        if before_s := turn.delay_s + (0 if asked.stream else turn.stream_s):
            await self._wait(request, before_s)
        if isinstance(fault, int):
            return _error_response(fault, f"rehearsal: {agent} misbehaves with {fault}")
        tokens = responses.token_estimate(len(body))
        if asked.stream:
            events = list(responses.events(content, tokens, fault, _PIECES if turn.stream_s else 1))
            return StreamingResponse(self._spread(events, turn.stream_s), media_type="text/event-stream")
        return Response(responses.json_body(content, tokens, fault), media_type="application/json")

    async def _spread(self, events: Sequence[bytes], seconds: float) -> AsyncGenerator[bytes]:
        """The events of an answer, evenly over so many seconds unless the rehearsal ends."""
        for event in events:
            yield event
            if seconds:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds / len(events)):
                        await self._closing.wait()

    def _scripts(self, agent: str) -> tuple[Script, ...]:
        if agent not in self._agents:
            raise ScriptError(f"the rehearsal has no agent {agent}{did_you_mean(agent, self._agents)}")
        return self._agents[agent]

    def _fault(self, agent: str, scripted: ScriptedTurn) -> Misbehaviour | None:
        """How this request is to fail; a turn with `times` fails that often, over all sessions of the agent."""
        turn = scripted.turn
        key = (agent, scripted.script_index, scripted.number)
        if turn.misbehave is None or (turn.times and self._misbehaved[key] >= turn.times):
            return None
        self._misbehaved[key] += 1
        return turn.misbehave

    def _record(self, request: Request, agent: str, asked: MessagesRequest, answer: str) -> None:
        session_id = request.headers.get("x-claude-code-session-id", "")
        self.requests.append(
            RecordedRequest(
                at=datetime.now(UTC),
                agent=agent,
                session_id=session_id,
                tools=tuple(tool.name for tool in asked.tools if not tool.defer_loading),
                messages=len(asked.messages),
                answer=answer,
                model=asked.model,
                task=asked.task,
                system=asked.system_text,
            )
        )

    async def _wait(self, request: Request, seconds: float | None) -> None:
        """Until the time is over (None: never), the client has gone, or the rehearsal ends."""
        ends = [asyncio.ensure_future(end) for end in (request.receive(), self._closing.wait())]
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()


class _Server(uvicorn.Server):
    """Uvicorn as a part of a program: it says when it is ready, and the program keeps its signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _count_tokens(request: Request) -> Response:
    return JSONResponse({"input_tokens": responses.token_estimate(len(await request.body()))})


def _error_response(status: int, message: str) -> Response:
    return JSONResponse(responses.error(status, message), status)

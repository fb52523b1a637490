"""The loopback Messages API that plays a rehearsal, in the caller's own event loop.

Every agent has its own base URL, so a request says who is asking: `ANTHROPIC_BASE_URL=rehearsal.url("researcher")`.
"""

import asyncio
import socket
from collections import Counter, defaultdict, deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Self

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from flotilla_rehearsal import model, stream
from flotilla_rehearsal.script import Misbehaviour, Script, ScriptError, Scripts
from flotilla_rehearsal.suggestions import did_you_mean


@dataclass(frozen=True)
class Shown:
    """One request: what the model was shown, and its answer."""

    at: datetime
    agent: str
    session_id: str
    tools: tuple[str, ...]
    messages: int
    answer: str  # "turn 2", "turn 2: 529", or what is wrong with the script
    model: str  # that was asked for


class Rehearsal:
    """Plays `scripts` while its context is open.

    Attributes:
        requests: the last 1,000 requests for an answer, oldest first.
        model_seconds: by agent, the time from a request's arrival to the end of its response, summed.
    """

    def __init__(self, scripts: Scripts) -> None:
        self.requests: deque[Shown] = deque(maxlen=1000)
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
            asked = model.Request.model_validate_json(body)
        except ValidationError as error:
            return _refusal(400, f"not a Messages API request: {error}")
        try:
            scripts = self._scripts(agent)
            step = model.next_step(scripts, asked)
            fault = self._fault(agent, step)
            content = model.content(step, asked)
        except ScriptError as error:
            self._record(request, agent, asked, str(error))
            return _refusal(400, f"rehearsal script of {agent}: {error}")
        self._record(request, agent, asked, f"turn {step.number}" + (f": {fault}" if fault else ""))
        if fault == "never":
            await self._wait(request, None)
            return _refusal(500, "the rehearsal is over")
        if step.turn.delay_s:
            await self._wait(request, step.turn.delay_s)
        if isinstance(fault, int):
            return _refusal(fault, f"rehearsal: {agent} misbehaves with {fault}")
        tokens = stream.tokens(len(body))
        if asked.stream:
            return StreamingResponse(stream.events(content, tokens, fault), media_type="text/event-stream")
        return Response(stream.body(content, tokens, fault), media_type="application/json")

    def _scripts(self, agent: str) -> tuple[Script, ...]:
        if agent not in self._agents:
            raise ScriptError(f"the rehearsal has no agent {agent}{did_you_mean(agent, self._agents)}")
        return self._agents[agent]

    def _fault(self, agent: str, step: model.Step) -> Misbehaviour | None:
        """How this request fails; a turn with `times` fails that often, over all sessions of the agent."""
        turn = step.turn
        key = (agent, step.script, step.number)
        if turn.misbehave is None or (turn.times and self._misbehaved[key] >= turn.times):
            return None
        self._misbehaved[key] += 1
        return turn.misbehave

    def _record(self, request: Request, agent: str, asked: model.Request, answer: str) -> None:
        session_id = request.headers.get("x-claude-code-session-id", "")
        tools = tuple(tool.name for tool in asked.tools if not tool.defer_loading)
        self.requests.append(
            Shown(datetime.now(UTC), agent, session_id, tools, len(asked.messages), answer, asked.model)
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
    return JSONResponse({"input_tokens": stream.tokens(len(await request.body()))})


def _refusal(status: int, message: str) -> Response:
    return JSONResponse(stream.error(status, message), status)

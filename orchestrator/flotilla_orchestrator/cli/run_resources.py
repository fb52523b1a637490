"""The resources of runs in this process: servers, models, and how approvals are asked for."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from .. import provider
from ..config.config import Config
from ..errors import Failure
from ..fleet.connection import ServerConnection
from ..fleet.fleet import Fleet
from ..fleet.restarts import answered
from ..fleet.server_pool import ServerPool
from ..run_request import RunRequest, check_inputs
from .approver_process import demo_approver
from .arguments import environ_of, keys_folder, new_check_id
from .decide import with_step_approvals
from .decision_prompts import DecisionCommands, DecisionNotice, TerminalPrompt

if TYPE_CHECKING:
    from claude_agent_sdk import Message
    from flotilla_rehearsal.recorder import Recorder

    from ..journal.journal import Journal
    from ..provider import Provider
    from ..sessions.agent import RunResources
    from ..sessions.decisions import Notify
    from ..sessions.types import Session
    from ..telemetry.run_traces import RunTraces
    from ..views.progress import Progress

_LAUNCH_S = 0.05  # enough to launch the processes

K = TypeVar("K")
T = TypeVar("T")


class OpenOnce(Generic[K, T]):
    """Opens a resource by its key when it is first needed, and closes it at the end; after a failure it tries again."""

    def __init__(self, opening: Callable[[K], AbstractAsyncContextManager[T]]) -> None:
        self._opening, self._stack = opening, AsyncExitStack()
        self._opened: dict[K, asyncio.Task[T]] = {}

    async def get(self, key: K) -> T:
        task = self._opened.get(key)
        if task is None or (task.done() and task.exception()):
            task = self._opened[key] = asyncio.create_task(self._stack.enter_async_context(self._opening(key)))
        return await asyncio.shield(task)

    async def close(self) -> None:
        for task in self._opened.values():
            task.cancel()
        await asyncio.gather(*self._opened.values(), return_exceptions=True)
        await self._stack.aclose()


class ProcessResources:
    """The resources of all runs of this process: opened by the first run that needs them, closed with the block.

    Args:
        folder: for the servers' logs.
        notify: brings what waits for a person before people; by default whoever is at this terminal, or reads stderr.
        traces: where they are asked for.
        restart_s: how long runs wait for a server that does not answer.
    """

    def __init__(
        self,
        config: Config,
        home: Path,
        folder: Path,
        recorder: "Recorder | None" = None,
        notify: "Notify | None" = None,
        traces: "RunTraces | None" = None,
        restart_s: float = 0,
    ) -> None:
        self._notify, self._traces, self._restart_s = notify, traces, restart_s
        self._config, self._home, self._folder = config, home, folder
        self._recorder, self._keys = recorder, folder / "approver-keys.json"
        self._models: OpenOnce[tuple[str, str, Path], Provider] = OpenOnce(lambda key: open_model(*key))
        self._servers = OpenOnce(self._open_servers)
        self._demo_approver: OpenOnce[str, Notify] = OpenOnce(
            lambda data: demo_approver(self._keys, self._decision_commands(data).environ)
        )
        self._early_starts: set[asyncio.Task[Fleet]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._early_starts:
            task.cancel()
        await asyncio.gather(*self._early_starts, return_exceptions=True)
        await asyncio.gather(self._demo_approver.close(), self._servers.close(), self._models.close())

    async def start(self, request: RunRequest) -> None:
        """Begin to start the run's servers, which takes a second; `for_run` raises what goes wrong."""
        self._early_starts.add(task := asyncio.create_task(self._fleet(request)))
        await asyncio.wait([task], timeout=_LAUNCH_S)

    @asynccontextmanager
    async def for_run(
        self, journal: "Journal", progress: "Progress | None", request: RunRequest
    ) -> "AsyncGenerator[RunResources]":
        """Open the resources of a run.

        Args:
            progress: shows the only run at a terminal.
        """
        from ..sessions.agent import RunResources

        config, folder = self._config, str(request.setting["configs"])
        if folder != str(config.folder.absolute()):
            message = (
                f"The run was requested with the config folder {folder}; this worker has {config.folder.absolute()}."
            )
            raise Failure(
                "other_config", message, "Request it again, or start a worker with --configs for that folder."
            )
        check_inputs(config, request.playbook, request.task, request.inputs)  # the files may have changed since
        script = Path(str(request.setting.get("script") or config.folder / "rehearsals" / f"{request.playbook}.yaml"))
        model = await self._models.get((request.model, request.playbook, script))
        fleet = await self._fleet(request)
        yes, data = _server_key(request)
        if yes:  # only now: until here every core starts servers
            ask = with_step_approvals(await self._demo_approver.get(data), journal, self._home)
        else:
            ask = self._notify or _notifier(self._decision_commands(data), progress)
        yield RunResources(
            config,
            fleet,
            model,
            journal,
            run_folder(self._home, request.run_id),
            ask,
            _message_listener(self._recorder),
            self._traces,
        )

    async def connection(self, server: str) -> ServerConnection:
        """A server as the runs of this process meet it, started or reached if none has yet.

        Raises:
            Failure: `server_failed`, `bad_keys`.
        """
        fleet = await (await self._servers.get((False, ""))).fleet([server], new_check_id())
        return fleet.servers[server]

    async def _fleet(self, request: RunRequest) -> Fleet:
        servers = await self._servers.get(_server_key(request))
        names = self._config.servers(self._config.playbooks[request.playbook])
        fleet = await answered(lambda: servers.fleet(names, request.run_id), self._restart_s)
        return fleet.with_headers(self._traces.run_headers(request.run_id)) if self._traces else fleet

    @asynccontextmanager
    async def _open_servers(self, key: tuple[bool, str]) -> AsyncGenerator[ServerPool]:
        """The servers that accept the demo approver's key serve no run that people approve."""
        yes, sample = key
        decision_commands, keys = self._decision_commands(sample), keys_folder(self._home)
        # A demo's servers start from the sample each time; their data stays there.
        flags = ["--home", str(decision_commands.home), "--demo-data"] if sample else []
        flags += ["--approver-keys", str(self._keys)] if yes else []
        async with ServerPool(
            self._config,
            logs=self._folder,
            keys=keys,
            flags=flags,
            environ=decision_commands.environ,
            restart_s=self._restart_s,
        ) as servers:
            yield servers

    def _decision_commands(self, sample: str) -> DecisionCommands:
        data = run_folder(self._home, sample) / "data" if sample else self._home
        return DecisionCommands(self._config, data, environ_of(self._home))


def _server_key(request: RunRequest) -> tuple[bool, str]:
    """Whether the demo approver approves, and the run whose folder has the sample company (empty: none)."""
    sample = request.setting["sample"]  # a run's id; in requests of older versions a boolean
    data = str(sample) if isinstance(sample, str) else request.run_id if sample else ""
    return bool(request.setting["yes"]), data


def run_folder(home: Path, run_id: str) -> Path:
    return home / "runs" / run_id


def _notifier(commands: DecisionCommands, progress: "Progress | None") -> "Notify":
    """A prompt at this terminal; without one, or with --json, a notice of how to decide."""
    from flotilla_kit.terminal.output import has_person

    return TerminalPrompt(commands, progress.aside) if progress and has_person() else DecisionNotice(commands)


def _message_listener(recorder: "Recorder | None") -> "Callable[[Session, Message], None] | None":
    if recorder is None:
        return None
    from .recording import message_listener

    return message_listener(recorder)


@asynccontextmanager
async def open_model(model: str, name: str, script: Path) -> "AsyncGenerator[Provider]":
    """Claude, or a script in its place."""
    if model != "rehearsal":
        yield provider.live(os.environ)
        return
    from flotilla_rehearsal.script import ScriptError
    from flotilla_rehearsal.script import load as load_script
    from flotilla_rehearsal.server import Rehearsal

    try:
        scripts = load_script(script)
    except (ScriptError, OSError) as error:
        raise Failure("no_rehearsal", f"{name} cannot be rehearsed: {error}", f"See {script}.") from error
    async with Rehearsal(scripts) as rehearsal:
        yield provider.rehearsal(os.environ, rehearsal.url)

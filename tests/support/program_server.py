"""A process that has imported everything of this repository, and forks a program whenever one is asked for.

python -m support.program_server SOCKET

A request is a connection: one packet with the program as JSON and its standard streams. Its process id is sent back at
once, and its exit code when it has ended. The server ends with its standard input.
"""

import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from select import select

from . import authorities

PACKAGES = tuple(f"flotilla_{name}" for name in ("kit", "billing", "crm", "k8s", "memory", "orchestrator"))
LATE = (  # what these import only once they run
    "anyio._backends._asyncio",
    "fastmcp.server.elicitation",
    "fastmcp.server.server",
    "fastmcp.server.sessions",
    "griffe",
    "mcp.client.streamable_http",
    "rich.live",
    "rich.tree",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "support.claude_transcript",
    "uvicorn.lifespan.on",
    "uvloop",
)
MAX_REQUEST = 1 << 20  # bytes
STREAMS = 3


@dataclass(frozen=True)
class Request:
    """A program: the name of an installed command or, as after `python -m`, of a module."""

    program: str
    arguments: list[str]
    environ: dict[str, str]
    folder: str
    new_session: bool
    claude: str = ""
    """Takes the place of the Claude CLI."""

    def as_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def main(address: str) -> None:
    """Serve until standard input ends; in each fork, run the program and return."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{address}.bound")
    listener.listen(64)  # whoever is early waits
    Path(f"{address}.bound").rename(address)  # whoever sees it there may connect
    commands = {found.name: found for found in entry_points(group="console_scripts") if "flotilla" in found.name}
    for package in map(import_module, PACKAGES):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                import_module(found.name)
    for name in LATE:
        import_module(name)
    authorities.read_once()
    assert threading.active_count() == 1, "what is forked has this thread only"
    gc.collect()
    gc.freeze()  # a scan would write to, and so copy, what all forks share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks that watch a program
    while 0 not in (ready := select([0, listener], [], [])[0]) or listener in ready:
        asking, _ = listener.accept()
        if not os.fork():
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _fork(asking, commands)
        asking.close()
    return None


def _fork(asking: socket.socket, commands: dict[str, EntryPoint]) -> None:
    """Run the program in one more fork, and say how it ended."""
    packet, streams, _, _ = socket.recv_fds(asking, MAX_REQUEST, STREAMS)
    program = os.fork()
    if not program:
        asking.close()
        request = Request(**json.loads(packet))
        return _become(request, streams, commands.get(request.program))
    for stream in (0, *streams):
        os.close(stream)
    with suppress(BrokenPipeError):  # whoever asked was killed
        asking.send(str(program).encode())
        _, status = os.waitpid(program, 0)
        asking.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(request: Request, streams: list[int], command: EntryPoint | None) -> None:
    """Run the program in this process, which ends as it does."""
    if request.new_session:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # Not those that it was started with, which know what was behind these descriptors then.
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115  as Python itself does
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request.environ)
    os.chdir(request.folder)
    sys.path[1:1] = filter(None, request.environ.get("PYTHONPATH", "").split(os.pathsep))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request.claude:
        setattr(import_module("flotilla_orchestrator.sessions.session"), "_binary", lambda: request.claude)  # noqa: B010  as tests do
    if command is None:
        sys.argv[1:] = request.arguments
        runpy.run_module(request.program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [str(Path(sys.executable).parent / request.program), *request.arguments]
        sys.orig_argv = [sys.executable, *sys.argv]
        sys.exit(command.load()())


if __name__ == "__main__":
    main(sys.argv[1])

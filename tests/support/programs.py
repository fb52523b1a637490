"""Programs of this repository as processes of their own, without the second that each takes to import itself.

Each is forked from a process that has imported them (see program_server); but for that it is as if it had been started
by its command. Tests of how a command starts use `subprocess` instead.
"""

import atexit
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from select import select
from subprocess import DEVNULL, PIPE, STDOUT
from threading import Thread
from typing import IO

from .program_server import Request

TESTS = Path(__file__).parent.parent
claude: str = ""  # what a program of this test takes for the Claude CLI, if not the CLI
GENEROUS_S = 300  # for a program that takes a second or two, on a busy machine


class Program:
    """A program that runs, with as much of `subprocess.Popen` as the tests use."""

    def __init__(
        self, answers: socket.socket, stdin: IO[str] | None, stdout: IO[str] | None, stderr: IO[str] | None
    ) -> None:
        self._answers = answers
        self.pid = int(answers.recv(32))
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select([self._answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._answers.recv(32))
            self._answers.close()
        return self.returncode

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def communicate(self, timeout: float = GENEROUS_S, typed: str = "") -> tuple[str, str]:
        """Type something; what it says until it has ended, on both streams."""
        if self.stdin:
            with suppress(BrokenPipeError), self.stdin:  # it need not read
                self.stdin.write(typed)
        said = {stream: "" for stream in (self.stdout, self.stderr) if stream}

        def read(stream: IO[str]) -> None:
            said[stream] = stream.read()

        readers = [Thread(target=read, args=[stream], daemon=True) for stream in said]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        out, err = ("" if stream is None else said[stream] for stream in (self.stdout, self.stderr))
        self.close()
        return out, err

    def close(self) -> None:
        """Let go of its streams."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    program: str,
    *arguments: str | Path,
    environ: Mapping[str, str],
    folder: Path,
    stdin: int = DEVNULL,
    stdout: int = PIPE,
    stderr: int | IO[str] = PIPE,
    new_session: bool = False,
) -> Program:
    """Start an installed command, or a module as `python -m` does; the streams are as `subprocess.Popen` takes them."""
    pipes = [os.pipe() if stream == PIPE else None for stream in (stdin, stdout, stderr)]
    reads, *writes = pipes
    given = [reads[0] if reads else os.open(os.devnull, os.O_RDONLY)]
    for pipe, stream in zip(writes, (stdout, stderr), strict=True):
        given.append(pipe[1] if pipe else _writable(stream, given[-1]))
    request = Request(program, list(map(str, arguments)), dict(environ), str(folder), new_session, claude)
    answers = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    answers.connect(_server())
    socket.send_fds(answers, [request.as_json()], given)
    for descriptor in given:
        os.close(descriptor)
    kept = [reads and os.fdopen(reads[1], "w"), *(pipe and os.fdopen(pipe[0]) for pipe in writes)]
    return Program(answers, *kept)


def _writable(stream: int | IO[str], stdout: int) -> int:
    """A descriptor for a stream that is no pipe."""
    if stream == STDOUT:
        return os.dup(stdout)
    return os.open(os.devnull, os.O_WRONLY) if isinstance(stream, int) else os.dup(stream.fileno())


def run(
    program: str,
    *arguments: str | Path,
    environ: Mapping[str, str],
    folder: Path,
    typed: str = "",
    timeout: float = GENEROUS_S,
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end with `typed` to read; killed if it takes more than `timeout` seconds."""
    process = start(program, *arguments, environ=environ, folder=folder, stdin=PIPE if typed else DEVNULL)
    try:
        out, err = process.communicate(timeout, typed)
    finally:
        process.kill()
    assert process.returncode is not None
    return subprocess.CompletedProcess([program, *map(str, arguments)], process.returncode, out, err)


def command(program: str) -> list[str]:
    """A command line for others to start it with; killed, it leaves the program to end with its input."""
    return [sys.executable, "-I", "-S", str(Path(__file__).parent / "as_program.py"), _server(), claude, program]


@cache
def on_path() -> Path:
    """A folder for PATH in which the servers' commands are (see `command`)."""
    folder = Path(_server()).parent / "bin"
    folder.mkdir()
    for name in ("flotilla-billing", "flotilla-crm", "flotilla-memory"):
        _script(folder / name, command(name))
    return folder


@cache
def claude_double() -> Path:
    """A program that takes the Claude CLI's place (see claude_double); its processes are called `claude` as well."""
    folder = Path(_server()).parent
    (folder / "claude").symlink_to(Path(sys.executable).resolve())
    return _script(folder / "start-claude", [str(folder / "claude"), *command("support.claude_double")[1:]])


def _script(path: Path, words: list[str]) -> Path:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)
    return path


@cache
def _server() -> str:
    """Where this test process's server takes requests; the server ends when this process does."""
    folder = tempfile.mkdtemp(prefix="flotilla-")  # a short path, as sockets need
    address = f"{folder}/programs"
    # As the commands set it before they import FastMCP.
    quiet = {"FASTMCP_ENV_FILE": os.devnull, "FASTMCP_LOG_ENABLED": "false", "FASTMCP_CHECK_FOR_UPDATES": "off"}
    quiet["FASTMCP_TELEMETRY_MODE"] = "off"
    server = subprocess.Popen(
        [sys.executable, "-m", "support.program_server", address],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS), **quiet},
        stdin=PIPE,
        start_new_session=True,  # a Ctrl-C is for the tests
    )
    assert server.stdin
    while not Path(address).exists() and server.poll() is None:
        time.sleep(0.01)

    def stop(stdin: IO[bytes]) -> None:
        stdin.close()
        server.wait()
        shutil.rmtree(folder)

    atexit.register(stop, server.stdin)
    return address

"""Serving over stdio: whatever the pieces in which bytes come and go, and with nothing else in them."""

import fcntl
import json
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flotilla_kit.testing.wire import META
from support.processes import clean_environment

SERVER = [sys.executable, str(Path(__file__).parent.parent / "support" / "echo.py")]
LONG = 300_000  # more than a pipe holds
Server = subprocess.Popen[bytes]


@contextmanager
def served(home: Path, stdin: Any = subprocess.PIPE) -> Generator[Server]:
    environment = clean_environment(home) | {"FASTMCP_LOG_ENABLED": "false"}
    pipe = subprocess.PIPE
    with subprocess.Popen(SERVER, bufsize=0, stdin=stdin, stdout=pipe, stderr=pipe, env=environment) as server:
        try:
            yield server
        finally:
            server.kill()


def call(number: int, tool: str, **arguments: object) -> bytes:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    asked = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    return json.dumps(asked, ensure_ascii=False).encode() + b"\n"


def send(server: Server, sent: bytes) -> None:
    assert server.stdin is not None
    while sent:
        sent = sent[server.stdin.write(sent) :]


def answers(server: Server, number: int) -> dict[int, str]:
    """The text of so many answers, by the number of the call."""
    assert server.stdout is not None
    read: list[dict[str, Any]] = [json.loads(server.stdout.readline()) for _ in range(number)]
    return {answer["id"]: answer["result"]["content"][0]["text"] for answer in read}


def end(server: Server) -> tuple[int, bytes]:
    """End its input; its exit code and what it said on stderr."""
    assert server.stdin is not None and server.stderr is not None
    server.stdin.close()
    said = server.stderr.read()
    return server.wait(), said


def wait_for_full_pipe(server: Server) -> None:
    """Until an answer waits for its reader."""
    assert server.stdout is not None
    deadline = time.monotonic() + 20
    while struct.unpack("i", fcntl.ioctl(server.stdout, termios.FIONREAD, b"\0" * 4))[0] < 60_000:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_requests_are_read_whatever_the_pieces_they_come_in(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        send(server, call(0, "echo", text="it is up"))
        answers(server, 1)
        sent = call(1, "echo", text="né") + b"no message\n" + call(2, "echo", text="two")
        split = sent.index(b"\xc3") + 1  # in the middle of a letter
        send(server, sent[:split])
        time.sleep(0.05)
        send(server, sent[split:])
        assert answers(server, 2) == {1: "né", 2: "two"}


def test_long_messages_arrive_whole_at_a_client_that_reads_late(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        for number in range(4):
            send(server, call(number, "echo", text=f"{number}" * LONG))
        send(server, call(4, "echo", text="short"))
        wait_for_full_pipe(server)
        assert answers(server, 5) == {**{number: f"{number}" * LONG for number in range(4)}, 4: "short"}


def test_what_tools_print_and_read_is_not_the_clients(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        send(server, call(1, "noise"))
        assert answers(server, 1) == {1: ""}
        send(server, call(2, "echo", text="after"))
        assert answers(server, 1) == {2: "after"}
        code, said = end(server)
        assert code == 0 and b"noise of a tool" in said and b"noise of a process" in said


def test_a_client_that_reads_no_more_ends_it_without_a_traceback(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        send(server, call(1, "echo", text="it is up"))
        answers(server, 1)
        assert server.stdout is not None
        server.stdout.close()
        send(server, call(2, "echo", text="to nobody"))
        time.sleep(0.2)
        assert end(server) == (0, b"")


def test_input_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "requests"
    file.write_bytes(call(1, "echo", text="from a file"))
    with file.open("rb") as stdin, served(tmp_path, stdin) as server:
        assert server.wait() == 0

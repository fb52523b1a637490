"""Worker processes that share one address: this process accepts, and hands each connection to the least busy worker.

The kernel would not share out fairly. Of 16 connections opened at once, where two workers accept from one socket, one
worker got all in 7 of 12 tries; with a socket for each (SO_REUSEPORT), twelve or more in 3 of 12. Here it is 8 and 8.
"""

import contextlib
import logging
import mmap
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from .serving import GRACE_S

logger = logging.getLogger(__name__)
_BACKLOG = 2048
_SERVED_WELL_S = 10.0  # who lived that long is replaced at once
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 30.0
_KILL_AFTER_S = GRACE_S + 15.0  # the audit's last records and the store take their time, too

Serve = Callable[[socket.socket, "memoryview[int]", int], None]
"""Serves as one worker, in its own process, until told to stop: its channel, `ended`, its number (see serve_worker)."""


@dataclass
class _Worker:
    number: int
    failures: int = 0
    """Deaths in a row, each soon after the start."""
    due: float = 0.0
    """When to start it, while it has no process."""
    pid: int = 0
    started_at: float = 0.0
    channel: socket.socket | None = None
    ready: bool = False
    given: int = 0
    """Connections handed over."""


class Supervisor:
    """Keeps `count` workers serving what `listener` accepts; `run` it in a process without threads.

    The first worker starts alone, so that the store is brought up to date once. `listening` is told when all serve.
    """

    def __init__(self, count: int, listener: socket.socket, serve: Serve, listening: Callable[[], None]) -> None:
        self._listener, self._serve, self._listening = listener, serve, listening
        self._workers = [_Worker(number) for number in range(count)]
        self._ended = memoryview(mmap.mmap(-1, 8 * count)).cast("Q")  # shared with the workers, each writes its own
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._listens = self._announced = self._stopping = False
        self._kill_at = float("inf")
        self._code = 0

    def run(self, *, exit_with_stdin: bool = False) -> int:
        """Serve until SIGTERM, SIGINT, or the end of stdin with `exit_with_stdin`; then let calls finish.

        Returns:
            0, or how the worker ended that could not start.
        """
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _heard)
        self._selector.register(self._woken, selectors.EVENT_READ, self._signalled)
        if exit_with_stdin:
            self._selector.register(sys.stdin, selectors.EVENT_READ, self._read_stdin)
        self._start(self._workers[0])
        while not self._stopping or any(worker.pid for worker in self._workers):
            for key, _ in self._selector.select(self._until_due()):
                key.data()
            self._start_due()
            if time.monotonic() >= self._kill_at:
                self._signal(signal.SIGKILL)
        return self._code

    def _start(self, worker: _Worker) -> None:
        ours, theirs = socket.socketpair()
        self._ended[worker.number] = 0
        sys.stdout.flush()
        sys.stderr.flush()
        signals = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # one that comes while it has our handlers would be lost
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become(worker.number, theirs, signals)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        theirs.close()
        ours.setblocking(False)
        worker.pid, worker.channel, worker.ready, worker.given = pid, ours, False, 0
        worker.started_at = time.monotonic()
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(worker))

    def _become(self, number: int, channel: socket.socket, signals: set[signal.Signals]) -> NoReturn:
        """In the new process: be that worker."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for wanted in signals:
                signal.signal(wanted, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
            self._selector.close()
            for other in (self._listener, self._wake, self._woken, *(w.channel for w in self._workers if w.channel)):
                other.close()
            self._serve(channel, self._ended, number)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            logger.exception("worker failed")
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)  # not back into the frames of the process that this one was forked from

    def _hear(self, worker: _Worker) -> None:
        """A worker's byte: it serves. The end of its channel: so has the worker."""
        assert worker.channel is not None
        try:
            said = worker.channel.recv(1)
        except OSError:
            said = b""
        if said:
            worker.ready = True
            self._ready()
        else:
            self._ended_with(worker)

    def _ready(self) -> None:
        if self._stopping:
            return
        if not self._announced and all(worker.ready for worker in self._workers):
            self._announced = True
            self._listening()
        if self._announced and not self._listens:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            self._listens = True

    def _ended_with(self, worker: _Worker) -> None:
        assert worker.channel is not None
        self._selector.unregister(worker.channel)
        worker.channel.close()
        _, status = os.waitpid(worker.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        pid, worker.pid, worker.channel, worker.ready = worker.pid, 0, None, False
        if self._stopping:
            return
        if not self._announced:  # what keeps the first one from starting would keep the next one, too
            self._code = code if code > 0 else 1
            self._stop()
            self._hang_up()
            return
        lived = time.monotonic() - worker.started_at
        worker.failures = 0 if lived >= _SERVED_WELL_S else worker.failures + 1
        pause_s = min(_FIRST_PAUSE_S * 2 ** (worker.failures - 1), _LONGEST_PAUSE_S) if worker.failures else 0.0
        worker.due = time.monotonic() + pause_s
        logger.error(
            "worker died", extra={"worker": worker.number, "worker_pid": pid, "code": code, "pause_s": pause_s}
        )

    def _start_due(self) -> None:
        for worker in self._workers:
            may = (self._announced or self._workers[0].ready) and not self._stopping
            if may and not worker.pid and time.monotonic() >= worker.due:
                self._start(worker)

    def _until_due(self) -> float | None:
        """Seconds until there is something to do that nothing tells of."""
        if self._stopping:
            return max(0.0, self._kill_at - time.monotonic())
        due = [worker.due for worker in self._workers if not worker.pid and self._announced]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _accept(self) -> None:
        if not any(worker.ready for worker in self._workers):  # they wait in the listener until one serves again
            self._selector.unregister(self._listener)
            self._listens = False
            return
        try:
            connection, _ = self._listener.accept()
        except OSError:  # its client has gone already
            return
        with connection:
            for worker in sorted(self._workers, key=lambda worker: worker.given - self._ended[worker.number]):
                if worker.ready and worker.channel and self._hand(connection, worker.channel):
                    worker.given += 1
                    return

    def _hand(self, connection: socket.socket, channel: socket.socket) -> bool:
        try:
            return bool(socket.send_fds(channel, [b"\0"], [connection.fileno()]))
        except OSError:  # it has just died, is stopping, or takes none
            return False

    def _signalled(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(64):
                pass
        self._stop()
        self._signal(signal.SIGTERM)

    def _read_stdin(self) -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            self._selector.unregister(sys.stdin)
            self._stop()
            self._hang_up()

    def _stop(self) -> None:
        """Accept nothing more."""
        if self._stopping:
            return
        self._stopping, self._kill_at = True, time.monotonic() + _KILL_AFTER_S
        if self._listens:
            self._selector.unregister(self._listener)
        self._listener.close()

    def _hang_up(self) -> None:
        """End the workers' channels: they stop as they do when this process is killed."""
        for worker in self._workers:
            if worker.channel:
                worker.channel.shutdown(socket.SHUT_WR)

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)


def _heard(_number: int, _frame: object) -> None:
    """The byte that the signal wrote into the socket pair is what tells."""

"""One address in front of several processes, as a Kubernetes Service is: connections go to those that are ready."""

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count

_PIECE = 64 * 1024


class Forwarder:
    """Gives each connection to the next of its `backends` that takes it; open ones stay where they are.

    Attributes:
        backends: ports on this machine; may be changed at any time, from any thread.
        refused: connections that no backend took.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.backends: tuple[int, ...] = ()
        self.refused = 0
        self.port = int(listener.getsockname()[1])
        self.listener, self._numbers = listener, count()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backends, number = self.backends, next(self._numbers)
        for turn in range(len(backends)):
            with suppress(OSError):
                port = backends[(number + turn) % len(backends)]
                behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(_copy(reader, behind_writer), _copy(behind_reader, writer))
                return
        self.refused += 1
        writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All that comes, then the end; whatever ends one direction ends that one alone."""
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    with suppress(OSError):
        writer.close()


@contextmanager
def forwarder() -> Generator[Forwarder]:
    """In a thread of its own, while the block lasts."""
    found, ended = Forwarder(socket.create_server(("127.0.0.1", 0))), threading.Event()

    async def serve() -> None:
        async with await asyncio.start_server(found.forward, sock=found.listener):
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join(10)

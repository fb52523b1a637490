"""What a worker takes its connections from: a channel to the process that accepts them."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable


class Intake:
    """Takes accepted connections from `channel` until closed; `gone` hears that its other end is.

    It stands in for the `asyncio.Server` that uvicorn closes and waits for when it stops.
    """

    def __init__(
        self, channel: socket.socket, protocol: Callable[[], asyncio.Protocol], gone: Callable[[], None]
    ) -> None:
        self.taken = 0
        """Connections so far."""
        self._channel, self._protocol, self._gone = channel, protocol, gone
        self._connecting: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        channel.setblocking(False)
        self._loop.add_reader(channel, self._take)

    def close(self) -> None:
        """Take no more: who hands connections over finds the channel shut, and asks another worker."""
        self._loop.remove_reader(self._channel)
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RD)

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._connecting)

    def _take(self) -> None:
        try:
            _, found, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            found = []
        if not found:
            self._loop.remove_reader(self._channel)
            self._gone()
            return
        os.set_inheritable(found[0], False)
        connection = socket.socket(fileno=found[0])
        connection.setblocking(False)
        # asyncio sets it only on sockets that were made by the protocol's name; without it each answer waits 40 ms.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:  # its client has gone already
            connection.close()
        self.taken += 1

"""The servers that this process has started or reached, for all of its runs.

A local server gets the public half of a key that lives as long as this process and never leaves it; mandates for
servers elsewhere are signed with the keys of `flotilla keys`.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from flotilla_kit.identity.keys import KeyRing, KeyRingError, SigningKey, write_jwks

from ..config.config import Config
from ..errors import Failure
from ..mandates.claims import Minter
from .connection import ServerConnection, connect
from .fleet import Fleet
from .processes import ServerProcess, server_process

_NO_RUN = "fleet"  # `run` of the mandates that tools are listed with


class ServerPool:
    """Servers for all the runs of this process, each started or reached when a run first needs it; local ones are
    stopped with the block. A local one that dies is started again, at the same address where that is free.

    Args:
        logs: each local server's stderr goes to NAME.log there, and the public key that it checks mandates with.
        keys: the key ring for servers elsewhere.
        flags: further flags for every local server.
        restart_s: how long runs wait for a server that they have reached before and that does not answer.
    """

    def __init__(
        self,
        config: Config,
        *,
        logs: Path,
        keys: Path,
        flags: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
        restart_s: float = 0,
    ) -> None:
        self._config, self._logs, self._keys, self._environ = config, logs, keys, environ
        self._restart_s, self._local_key = restart_s, SigningKey.generate()
        self._key_file = logs / f"{secrets.token_hex(5)}-mandate-keys.json"
        self._flags = [*flags, "--mandate-keys", str(self._key_file)]
        self._connections: dict[str, asyncio.Future[ServerConnection]] = {}
        self._supervisors: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_jwks(self._key_file, [self._local_key.public_jwk()])
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._supervisors:
            task.cancel()
        await asyncio.gather(*self._supervisors, return_exceptions=True)
        self._key_file.unlink(missing_ok=True)

    async def fleet(self, names: Sequence[str], run_id: str) -> Fleet:
        """These servers of the fleet, listed and ready, for a run.

        Args:
            run_id: `run` of the mandates.

        Raises:
            Failure: `server_failed`: a server did not start, or does not answer. `bad_keys`: the key ring is broken.
        """
        found = await asyncio.gather(*map(self._connection, names), return_exceptions=True)
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        servers = [server for server in found if isinstance(server, ServerConnection)]
        return Fleet({server.name: self._for_run(server, run_id) for server in servers})

    def _for_run(self, server: ServerConnection, run_id: str) -> ServerConnection:
        minter = server.minter and self._minter(server.name, run_id)
        return replace(server, minter=minter, restart_s=self._restart_s)

    async def _connection(self, name: str) -> ServerConnection:
        if name not in self._connections:
            self._connections[name] = asyncio.get_running_loop().create_future()
            self._supervisors.add(task := asyncio.create_task(self._supervise(name)))
            task.add_done_callback(self._supervisors.discard)
        return await asyncio.shield(self._connections[name])

    async def _supervise(self, name: str) -> None:
        """Start or reach a server; start a local one again whenever it has died."""
        server, port = self._config.fleet.servers[name], 0
        try:
            if not server.command:
                self._connections[name].set_result(await self._open(name, None))
                return
            flags = [*self._flags, "--audience", server.audience or name]
            while True:
                process = server_process(name, server, self._config.folder, self._logs, flags, self._environ, port)
                async with process as running:
                    found = await self._open(name, running)
                    self._connections[name].set_result(found)
                    port = urlsplit(found.url).port or 0
                    await running.wait()
                    self._connections[name] = asyncio.get_running_loop().create_future()
        except (Failure, OSError) as error:
            connection = self._connections.pop(name)  # the next run that needs it tries again
            connection.set_exception(error)
            connection.exception()  # marks it as retrieved: nobody may wait for it

    async def _open(self, name: str, process: ServerProcess | None) -> ServerConnection:
        return await connect(name, process, self._minter(name, _NO_RUN), self._config, self._environ)

    def _minter(self, name: str, run_id: str) -> Minter | None:
        server = self._config.fleet.servers[name]
        if not server.gets_mandates:
            return None
        return Minter(self._local_key if server.command else _current_key(self._keys), run_id)


@asynccontextmanager
async def running_fleet(
    config: Config,
    names: Sequence[str],
    *,
    run_id: str,
    logs: Path,
    keys: Path,
    flags: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> AsyncGenerator[Fleet]:
    """These servers for one run (see `ServerPool`), while the block lasts."""
    async with ServerPool(config, logs=logs, keys=keys, flags=flags, environ=environ) as servers:
        yield await servers.fleet(names, run_id)


def _current_key(keys: Path) -> SigningKey:
    try:
        return KeyRing(keys).current()
    except (KeyRingError, OSError) as error:
        raise Failure("bad_keys", f"The signing keys cannot be used: {error}.", "See `flotilla keys`.") from error

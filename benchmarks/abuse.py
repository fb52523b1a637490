"""What an ordinary caller of billing notices, and what the server's memory does, while others abuse it over HTTP."""

import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

from .load import Load, measure, tool_call
from .servers import BIN, served

MB = 1024 * 1024
POST = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SECONDS = 6
HEAD_SECONDS = 14  # past the deadline for heads

Seen = Counter[str]


async def _send(url: str, pieces: Iterable[bytes] | AsyncIterable[bytes], seen: Seen) -> None:
    """One connection: sends until done or cut off, reads until closed, and counts the answer's status."""
    address = urlsplit(url)
    received = b""
    with suppress(ConnectionError):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        seen["connections"] += 1

        async def send() -> None:
            with suppress(ConnectionError):
                async for piece in pieces if isinstance(pieces, AsyncIterable) else _each(pieces):
                    writer.write(piece)
                    await writer.drain()

        sending = asyncio.create_task(send())
        try:
            with suppress(ConnectionError):
                received = await reader.read(65536)
                while await reader.read(65536):
                    pass
        finally:
            sending.cancel()
            writer.close()
    seen[received[9:12].decode() or "closed"] += 1


async def _each(pieces: Iterable[bytes]) -> AsyncIterable[bytes]:
    for piece in pieces:
        yield piece


async def _byte_by_byte() -> AsyncIterable[bytes]:
    yield POST
    while True:
        await asyncio.sleep(1)
        yield b"X"


async def slow_heads(url: str, seen: Seen) -> None:
    """100 clients that send a byte of a header a second, and come again when closed."""

    async def client() -> None:
        while True:
            await _send(url, _byte_by_byte(), seen)

    await asyncio.gather(*(client() for _ in range(100)))


async def large_bodies(url: str, seen: Seen) -> None:
    """100 MB bodies, one after the other, declared and chunked."""
    part = b"a" * MB
    while True:
        await _send(url, [POST + b"Content-Length: 104857600\r\n\r\n", *[part] * 100], seen)
        await _send(url, [POST + b"Transfer-Encoding: chunked\r\n\r\n", *[b"100000\r\n" + part + b"\r\n"] * 100], seen)


async def many_headers(url: str, seen: Seen) -> None:
    """Requests of 10,000 headers, one after the other."""
    head = POST + b"".join(b"X-%d: a\r\n" % number for number in range(10_000)) + b"\r\n"
    while True:
        await _send(url, [head], seen)


async def unfinished_bodies(url: str, seen: Seen) -> None:
    """60 clients whose 1 MB bodies lack the last byte, and come again a second after they are refused."""

    async def client() -> None:
        while True:
            await _send(url, [POST + b"Content-Length: %d\r\n\r\n" % MB + b"a" * (MB - 1)], seen)
            await asyncio.sleep(1)

    await asyncio.gather(*(client() for _ in range(60)))


async def tiny_chunks(url: str, seen: Seen) -> None:
    """Bodies in chunks of one byte, one after the other."""
    body = b"1\r\na\r\n" * 100_000
    while True:
        await _send(url, [POST + b"Transfer-Encoding: chunked\r\n\r\n", body], seen)


async def everything(url: str, seen: Seen) -> None:
    """All of it at once."""
    await asyncio.gather(*(attack(url, seen) for attack in ATTACKS if attack is not everything))


Attack = Callable[[str, Seen], Awaitable[None]]
ATTACKS: dict[Attack, int] = {
    slow_heads: HEAD_SECONDS,
    large_bodies: SECONDS,
    many_headers: SECONDS,
    unfinished_bodies: SECONDS,
    tiny_chunks: SECONDS,
    everything: HEAD_SECONDS,
}


def _attack(attack: Attack, url: str, seconds: float) -> Seen:
    """Runs in a process of its own, so that the ordinary caller's latencies are the server's."""

    async def limited() -> Seen:
        seen = Seen()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await attack(url, seen)
        return seen

    return asyncio.run(limited())


async def abuse() -> None:
    """Print an ordinary caller's latencies and the server's peak memory before and during each attack."""
    with tempfile.TemporaryDirectory() as home, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as attackers:
        command = [BIN / "flotilla-billing", "--home", home, "--demo-data", "--http", "127.0.0.1:0"]
        with served([*command, "--auth", "none", "--exit-with-stdin"]) as url:
            server = _pid(home)
            request = tool_call(url, "list_invoices", {"customer_id": "cust_12345", "limit": 1})
            await measure(url, request, connections=4, seconds=2)  # warm
            before = _peak_mb(server)
            print(f"{'during':20}{'calls/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'MB more':>9}  what the others got")
            _print("nothing", await measure(url, request, connections=1, seconds=SECONDS), 0, Seen())
            for attack, seconds in ATTACKS.items():
                _restart_peak(server)
                seen = asyncio.get_running_loop().run_in_executor(attackers, _attack, attack, url, seconds + 1)
                load = await measure(url, request, connections=1, seconds=seconds)
                _print(attack.__name__.replace("_", " "), load, _peak_mb(server) - before, await seen)
            print("targets: p99 under 250 ms, at most 30 MB more")


def _print(name: str, load: Load, more: float, seen: Seen) -> None:
    got = ", ".join(f"{status}: {count}" for status, count in sorted(seen.items()))
    print(f"{name:20}{load.calls_per_second:>9.0f}{load.p50_ms:>9.2f}{load.p99_ms:>9.2f}{more:>9.1f}  {got}")


def _pid(home: str) -> int:
    processes = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0]) for line in processes.splitlines() if f"--home {home} " in line)


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def _restart_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): resets VmHWM to what is resident now


def main() -> None:
    if sys.platform != "linux":
        print("abuse is measured on Linux only: a process's peak memory is read from /proc")
        return
    asyncio.run(abuse())


if __name__ == "__main__":
    main()

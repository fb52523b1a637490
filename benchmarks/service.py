"""The service under load: how soon runs are accepted, how late events are, what two replicas bring, and memory.

`python -m benchmarks.service [RUNS]`: `flotilla serve` as processes of their own over one home, the real CLI, and a
scripted model.
"""

import asyncio
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import yaml

RUNS, CLIENTS, FOLLOWED, CONCURRENCY = 1000, 20, 40, 4
BATCH, THINKING_S = 16, 15.0  # of the batch that waits for its model; with less it mostly starts processes
WAITING = 100  # runs that wait for a person
_MODELS = ("quick", "slow")
_ENDED = ("ok", "failed", "cancelled")
# One for all: to make one takes 40 ms, which each client's first run would wait.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Service:
    """A home, and the processes of `flotilla serve` that share it."""

    def __init__(self, folder: Path) -> None:
        self.home, self.configs = folder / "home", folder / "configs"
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "FLOTILLA_HOME": str(self.home),
        }
        fleet = {"servers": {"billing": {"command": ["flotilla-billing", "--demo-data"]}}}
        self._write("fleet.yaml", fleet)
        worker = {"name": "single", "description": "One.", "tools": "mcp__billing__get_transaction"}
        path = self.configs / "workers" / "single.md"
        path.parent.mkdir(parents=True)
        path.write_text(f"---\n{yaml.safe_dump(worker)}---\nDo it.\n")
        output = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}
        for name, delay_s in zip(_MODELS, (0.0, THINKING_S), strict=True):
            result = {"result": {"answer": "done"}, "delay_s": delay_s}
            self._playbook({"name": name, "description": name, "lead": "single", "output": output}, [result])
        steps = [
            {"id": "sign-off", "approve": "Go on?"},
            {"id": "tell", "worker": "single", "task": "Tell.", "needs": ["sign-off"]},
        ]
        self._playbook({"name": "asks", "description": "Asks.", "steps": steps}, [{"say": "told"}])
        self.token = self._command("tokens", "add", "bench", "--scope", "run", "--scope", "read")["token"]

    @asynccontextmanager
    async def serve(self, name: str, concurrency: int) -> AsyncGenerator[tuple[str, int]]:
        """A replica: its address and process."""
        words = ["serve", "--http", "127.0.0.1:0", "--concurrency", str(concurrency), "--backlog", "10000"]
        words += ["--rate-limit", "10000", "--configs", str(self.configs), "--json"]
        with (self.home / f"{name}.log").open("a") as log:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "flotilla_orchestrator", *words],
                env={**self.environment, "FLOTILLA_EXECUTOR_ID": name},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        try:
            assert process.stdout
            begun = await process.stdout.readline()
            assert begun, (self.home / f"{name}.log").read_text()
            yield json.loads(begun)["url"], process.pid
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    def client(self, url: str) -> httpx2.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx2.AsyncClient(base_url=url, headers=headers, timeout=120, trust_env=False, verify=_NO_TLS)

    def _playbook(self, playbook: dict[str, Any], turns: list[dict[str, Any]]) -> None:
        self._write(f"playbooks/{playbook['name']}.yaml", playbook)
        script = {"name": playbook["name"], "agents": {"single": [{"turns": turns}]}}
        self._write(f"rehearsals/{playbook['name']}.yaml", script)

    def _write(self, name: str, content: object) -> None:
        path = self.configs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))

    def _command(self, *words: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "flotilla_orchestrator", *words, "--json"]
        self.home.mkdir(exist_ok=True)
        return json.loads(subprocess.check_output(command, env=self.environment))


async def start(client: httpx2.AsyncClient, playbook: str, number: int) -> tuple[str, float]:
    """A run, and how long it took to be accepted."""
    body, began = {"playbook": playbook, "task": "Do it.", "model": "rehearsal"}, time.perf_counter()
    answer = await client.post("/v1/runs", json=body, headers={"Idempotency-Key": f"{playbook}-{number}"})
    assert answer.status_code == 202, answer.text
    return answer.json()["run_id"], time.perf_counter() - began


async def start_all(service: Service, url: str, playbook: str, count: int) -> tuple[list[str], list[float]]:
    """So many runs by `CLIENTS` clients, each on a connection of its own."""
    numbers = iter(range(count))
    run_ids, taken = list[str](), list[float]()

    async def client_loop() -> None:
        async with service.client(url) as client:
            for number in numbers:
                run_id, seconds = await start(client, playbook, number)
                run_ids.append(run_id)
                taken.append(seconds)

    await asyncio.gather(*(client_loop() for _ in range(CLIENTS)))
    return run_ids, taken


async def until_ended(client: httpx2.AsyncClient, run_ids: list[str]) -> dict[str, int]:
    """How many have ended in which state, once all have."""
    while True:
        states = dict[str, int]()
        for state in _ENDED:
            cursor: str | None = None
            while True:
                query = {"state": state, "limit": "100", **({"cursor": cursor} if cursor else {})}
                page = (await client.get("/v1/runs", params=query)).json()
                states[state] = states.get(state, 0) + sum(run["run_id"] in run_ids for run in page["items"])
                if not (cursor := page["next_cursor"]):
                    break
        if sum(states.values()) == len(run_ids):
            return states
        await asyncio.sleep(1)


async def event_lags(client: httpx2.AsyncClient, run_id: str) -> list[float]:
    """How late each event of a run came that says when something has ended."""
    lags = list[float]()
    async with client.stream("GET", f"/v1/runs/{run_id}/events", timeout=3600) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: ") and (ended_at := json.loads(line[6:]).get("ended_at")):
                lags.append((datetime.now(UTC) - datetime.fromisoformat(ended_at)).total_seconds())
    return lags


async def load(service: Service, count: int) -> None:
    async with service.serve("one", CONCURRENCY) as (url, _), service.client(url) as client:
        began = time.perf_counter()
        run_ids, taken = await start_all(service, url, "quick", count)
        accepted = time.perf_counter() - began
        known = set(run_ids)
        lags = [
            lag for one in await asyncio.gather(*(event_lags(client, r) for r in run_ids[-FOLLOWED:])) for lag in one
        ]
        states = await until_ended(client, run_ids)
        took = time.perf_counter() - began
    at = statistics.quantiles(taken, n=100)
    print(f"{count} runs by {CLIENTS} clients: accepted in {accepted:.1f} s, p50 {at[49] * 1000:.0f} ms, ", end="")
    print(
        f"p99 {at[98] * 1000:.0f} ms; all ended after {took:.0f} s, {count / took * 3600:.0f} an hour: {states}, ",
        end="",
    )
    print(f"{count - len(known)} lost")
    print(f"events of {FOLLOWED} of them: {statistics.quantiles(lags, n=20)[18]:.2f} s late at p95")


async def replicas(service: Service) -> None:
    seconds = dict[int, float]()
    for count in (1, 2):
        async with AsyncExitStack() as stack:
            urls = [
                (await stack.enter_async_context(service.serve(f"replica-{number}", CONCURRENCY * count)))[0]
                for number in range(count)
            ]
            client = await stack.enter_async_context(service.client(urls[-1]))
            began = time.perf_counter()
            started = [await start(client, "slow", 1000 * count + number) for number in range(BATCH)]
            states = await until_ended(client, [run_id for run_id, _ in started])
            assert states["ok"] == BATCH, states
            seconds[count] = time.perf_counter() - began
    ratio = seconds[2] / seconds[1]
    print(f"{BATCH} runs that wait {THINKING_S:.0f} s for their model, {CONCURRENCY} at once a replica: ", end="")
    print(f"one replica {seconds[1]:.0f} s, two {seconds[2]:.0f} s ({ratio:.2f})")


async def memory(service: Service) -> None:
    async with service.serve("one", CONCURRENCY) as (url, pid), service.client(url) as client:
        await until_ended(client, [(await start(client, "quick", 5000))[0]])  # the server is there, and all is loaded
        base = resident(pid)
        waiting, _ = await start_all(service, url, "asks", WAITING)
        while True:
            if len((await client.get("/v1/approvals")).json()["items"]) == WAITING:
                break
            await asyncio.sleep(0.5)
        waits = (resident(pid) - base) / len(waiting)
        base = resident(pid)
        live = [(await start(client, "slow", 6000 + number))[0] for number in range(CONCURRENCY)]
        await asyncio.sleep(THINKING_S - 2)
        sessions = (resident(pid) - base) / CONCURRENCY
        await until_ended(client, live)
    print(f"memory: {sessions / 1e6:.0f} MB a live session, {waits / 1e6:.2f} MB a run that waits for a person")


def resident(pid: int) -> int:
    """Bytes of a process and what it has started, shared pages in proportion."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    try:
        (own,) = [int(line.split()[1]) for line in rollup.read_text().splitlines() if line.startswith("Pss:")]
    except OSError:
        return 0  # it has just ended
    return own * 1024 + sum(resident(int(child)) for child in children.stdout.split())


async def measure(count: int) -> None:
    for part in (partial(load, count=count), replicas, memory):
        with tempfile.TemporaryDirectory() as folder:
            await part(Service(Path(folder)))


def main(arguments: list[str]) -> None:
    asyncio.run(measure(int(arguments[0]) if arguments else RUNS))


if __name__ == "__main__":
    main(sys.argv[1:])

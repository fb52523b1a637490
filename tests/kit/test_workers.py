"""`--workers 2` over HTTP: several processes that callers take for one."""

import json
import os
import signal
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from flotilla_kit.identity.keys import SigningKey, write_jwks
from support import programs
from support.commands import Watched, descendants
from support.processes import Running, clean_environment, http_server
from support.tokens import worker_claims

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="finds the workers in /proc: Linux only")
WORKERS = 2
MODERN = "2026-07-28"
CHARGE = "ch_maya_feb_2"


@pytest.fixture
def server(tmp_path: Path) -> Generator[Running]:
    with http_server("billing", tmp_path, "--demo-data", "--workers", str(WORKERS)) as running:
        yield running


@pytest.fixture
def frail(tmp_path: Path) -> Generator[Running]:
    """One whose processes can be told to die."""
    flags = ("--demo-data", "--workers", str(WORKERS))
    with http_server("billing", tmp_path, *flags, program="support.frail_billing") as running:
        yield running


class Caller:
    """One keep-alive connection."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx2.Client(headers={"Accept": "application/json, text/event-stream", **bearer}, timeout=15)

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def post(self, tool: str, **arguments: Any) -> httpx2.Response:
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        return self._client.post(
            self._url,
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
            headers={"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool},
        )

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The tool's answer, or its error."""
        result = self.post(tool, **arguments).json()["result"]
        return json.loads(result["content"][0]["text"]) if result.get("isError") else result["structuredContent"]

    def look(self) -> dict[str, Any]:
        return self.call("get_transaction", transaction_id=CHARGE)

    def refund(self, key: str) -> dict[str, Any]:
        refund = {"transaction_id": CHARGE, "amount_minor": 1, "currency": "USD", "reason": "goodwill"}
        return self.call("issue_refund", **refund, idempotency_key=key)


def workers(server: Running) -> set[int]:
    return set(descendants(server.process.pid))


def connections(pid: int) -> int:
    """Established TCP connections that a process holds."""
    inodes = {
        line.split()[9] for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines() if line.split()[3] == "01"
    }
    held = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
    return sum(name.removeprefix("socket:[").removesuffix("]") in inodes for name in held)


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def verified(home: Path) -> int:
    """How many records there are in the audit's chain, which is whole."""
    words = ("flotilla-billing", "audit", "verify", "--json")
    said = programs.run(*words, environ=clean_environment(home), folder=home)
    assert said.returncode == 0, said.stdout + said.stderr
    return int(json.loads(said.stdout)["records"])


def test_callers_are_shared_out_evenly_and_leave_one_chain(server: Running, tmp_path: Path) -> None:
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(server.url)) for _ in range(16)]
        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(Caller.look, callers))
        assert all(answer["transaction_id"] == CHARGE for answer in answers)
        assert [connections(pid) for pid in workers(server)] == [8, 8]
    health = server.url.replace("/mcp", "/{}z").format
    assert {httpx2.get(health(part)).status_code for part in ("health", "ready")} == {200}
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(15) == 0
    assert verified(tmp_path) == 16


def test_of_callers_with_one_key_at_both_workers_one_makes_the_effect(tmp_path: Path, database_url: str) -> None:
    flags = ["--demo-data", "--workers", str(WORKERS)]
    with (
        http_server("billing", tmp_path, *flags, environment={"DATABASE_URL": database_url}) as server,
        ExitStack() as stack,
        ThreadPoolExecutor(8) as threads,
    ):
        callers = [stack.enter_context(Caller(server.url)) for _ in range(8)]
        refunds = list(threads.map(Caller.refund, callers, ["once"] * len(callers)))
        assert len({refund["refund_id"] for refund in refunds}) == 1, refunds
        assert callers[0].look()["refunded_minor"] == 1


def test_a_killed_worker_is_replaced_and_no_acknowledged_effect_is_lost(server: Running, tmp_path: Path) -> None:
    before = workers(server)
    assert len(before) == WORKERS
    acknowledged: list[str] = []
    for number in range(12):
        if number in (3, 6):
            os.kill(sorted(workers(server))[0], signal.SIGKILL)
        try:
            with Caller(server.url) as caller:
                acknowledged.append(caller.refund(f"k{number}")["refund_id"])
        except httpx2.TransportError:  # its worker was the one; the other serves the next
            continue
    assert len(acknowledged) >= 10
    until(lambda: len(workers(server)) == WORKERS and not workers(server) & {min(before)})
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(server.url)) for _ in range(4)]
        assert {caller.look()["transaction_id"] for caller in callers} == {CHARGE}
        kept = [callers[0].call("get_refund", refund_id=refund_id)["status"] for refund_id in acknowledged]
        assert kept == ["succeeded"] * len(acknowledged)
    assert verified(tmp_path) >= len(acknowledged)


@pytest.mark.parametrize("place", ["after_reserve", "after_send"])
def test_an_effect_whose_worker_is_killed_in_the_middle_happens_once(
    frail: Running, tmp_path: Path, place: str
) -> None:
    (tmp_path / "die-at").write_text(place)
    with Caller(frail.url) as caller, pytest.raises(httpx2.TransportError):
        caller.refund("once")
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(frail.url)) for _ in range(4)]
        until(lambda: [caller.refund("once").get("status") for caller in callers] == ["succeeded"] * 4)
        assert len({caller.refund("once")["refund_id"] for caller in callers}) == 1
        assert callers[0].look()["refunded_minor"] == 1
    until(lambda: len(workers(frail)) == WORKERS)


def test_a_worker_that_cannot_start_again_is_tried_less_and_less_often_while_the_other_serves(
    frail: Running, tmp_path: Path
) -> None:
    def pauses() -> list[float]:
        lines = [json.loads(line) for line in (tmp_path / "billing.log").read_text().splitlines()]
        return [line["pause_s"] for line in lines if line["event"] == "worker died"]

    (tmp_path / "no-start").touch()
    os.kill(min(workers(frail)), signal.SIGKILL)
    until(lambda: len(pauses()) >= 4)
    assert pauses() == sorted(set(pauses())), "each pause is longer than the one before"
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(frail.url)) for _ in range(4)]
        assert [caller.look()["transaction_id"] for caller in callers] == [CHARGE] * 4
    (tmp_path / "no-start").unlink()
    until(lambda: len(workers(frail)) == WORKERS and len(set(map(connections, workers(frail)))) == 1)


def test_a_worker_that_stands_still_has_only_its_own_callers_wait(server: Running, tmp_path: Path) -> None:
    still = min(workers(server))
    os.kill(still, signal.SIGSTOP)
    try:
        with ExitStack() as stack, ThreadPoolExecutor(4) as threads:
            callers = [stack.enter_context(Caller(server.url)) for _ in range(4)]
            answers = [threads.submit(caller.look) for caller in callers]
            until(lambda: [answer.done() for answer in answers].count(True) == 2)
            os.kill(still, signal.SIGCONT)
            assert [answer.result()["transaction_id"] for answer in answers] == [CHARGE] * 4
    finally:
        os.kill(still, signal.SIGCONT)
    server.process.terminate()
    assert server.process.wait(15) == 0
    assert verified(tmp_path) == 4


def test_a_callers_rate_and_its_revocation_hold_for_all_workers_together(tmp_path: Path) -> None:
    issuer, keys = SigningKey.generate(), tmp_path / "keys.json"
    write_jwks(keys, [issuer.public_jwk()])
    token = issuer.sign(worker_claims(authorization_details=[{"type": "mcp_tool", "tool": "get_transaction"}]))
    flags = ["--demo-data", "--workers", str(WORKERS), "--mandate-keys", str(keys), "--calls-per-second", "2"]
    with http_server("billing", tmp_path, *flags, tokens=True) as server, ExitStack() as stack:
        callers = [stack.enter_context(Caller(server.url, token)) for _ in range(4)]
        began = time.monotonic()
        answers = [callers[number % 4].look() for number in range(40)]
        allowed = sum("transaction_id" in answer for answer in answers)
        assert 10 <= allowed <= 10 + 2 * (time.monotonic() - began) + 1, "a burst of 5 s, and what came since"
        assert {answer["code"] for answer in answers if "code" in answer} == {"rate_limited"}
        write_jwks(keys, [])
        time.sleep(1.05)  # how often a server looks at its keys
        assert {caller.post("get_transaction", transaction_id=CHARGE).status_code for caller in callers} == {401}


def test_told_to_stop_all_end_and_what_they_did_is_recorded(server: Running, tmp_path: Path) -> None:
    watched = Watched(descendants(server.process.pid))
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(server.url)) for _ in range(4)]
        assert all(caller.look() for caller in callers)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    assert watched.alive_after(0) == []
    assert verified(tmp_path) == 4


def test_workers_end_when_the_process_that_started_them_is_killed(server: Running) -> None:
    watched = Watched(descendants(server.process.pid))
    with Caller(server.url) as caller:
        caller.look()
        server.process.kill()
        assert watched.alive_after(10) == []


def test_a_server_that_cannot_start_says_why_and_leaves_nobody(tmp_path: Path) -> None:
    (tmp_path / "billing.db").write_text("this is no database at all, and never was")
    words = ("flotilla-billing", "--http", "127.0.0.1:0", "--auth", "none", "--workers", str(WORKERS))
    ended = programs.run(*words, environ=clean_environment(tmp_path), folder=tmp_path)
    assert ended.returncode > 0
    assert "not a database" in ended.stderr

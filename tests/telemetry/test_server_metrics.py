"""What Prometheus reads of a server: its calls by worker, tool and outcome, and the approvals that wait there."""

from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from flotilla_kit.identity.keys import SigningKey, write_jwks
from support.answers import answer_of
from support.processes import http_server
from support.scrape import metrics_url, scrape
from support.tokens import worker_claims

CHARGE = "ch_maya_feb_2"
TOOLS = [{"type": "mcp_tool", "tool": tool} for tool in ("get_transaction", "issue_refund")]
REFUND: dict[str, Any] = {"transaction_id": CHARGE, "amount_minor": 6000, "currency": "USD", "reason": "goodwill"}


def flags(home: Path, key: SigningKey, *more: str) -> list[str]:
    write_jwks(home / "keys.json", [key.public_jwk()])
    return ["--demo-data", "--mandate-keys", str(home / "keys.json"), "--metrics-http", "127.0.0.1:0", *more]


async def call(url: str, key: SigningKey, tool: str, subject: str = "refund-clerk", **arguments: Any) -> dict[str, Any]:
    token = key.sign(worker_claims(sub=subject, authorization_details=TOOLS))
    async with Client(StreamableHttpTransport(url, auth=token)) as client:
        return answer_of(await client.call_tool(tool, arguments, raise_on_error=False))


async def test_calls_are_counted_by_worker_tool_and_outcome(tmp_path: Path) -> None:
    key = SigningKey.generate()
    with http_server("billing", tmp_path, *flags(tmp_path, key), tokens=True) as running:
        await call(running.url, key, "get_transaction", transaction_id=CHARGE)
        await call(running.url, key, "get_transaction", transaction_id="ch_nobody")
        await call(running.url, key, "drop_tables")
        asked = await call(running.url, key, "issue_refund", **REFUND, idempotency_key="1")
        assert asked["code"] == "approval_required"
        told = scrape(metrics_url(tmp_path / "billing.log"))
    clerk = {"server": "billing", "principal": "refund-clerk"}
    for tool, outcome in (
        ("get_transaction", "ok"),
        ("get_transaction", "not_found"),
        ("issue_refund", "approval_required"),
        ("other", "unknown_tool"),
    ):
        assert told.value("flotilla_tool_calls_total", tool=tool, outcome=outcome, **clerk) == 1
    assert told.value("flotilla_tool_seconds_count", server="billing", tool="get_transaction") == 2
    assert 0 < told.value("flotilla_tool_seconds_sum", tool="get_transaction") < 10
    assert told.value("flotilla_approvals_waiting", server="billing") == 1
    assert 0 <= told.value("flotilla_approval_oldest_seconds", server="billing") < 60


async def test_names_that_a_caller_makes_up_add_no_series(tmp_path: Path) -> None:
    key = SigningKey.generate()
    with http_server("billing", tmp_path, *flags(tmp_path, key), tokens=True) as running:
        for number in range(110):
            token = key.sign(worker_claims(sub=f"worker-{number}", authorization_details=TOOLS))
            async with Client(StreamableHttpTransport(running.url, auth=token)) as client:
                await client.call_tool(f"tool_{number}", {}, raise_on_error=False)
        told = scrape(metrics_url(tmp_path / "billing.log"))
    assert told.labels("flotilla_tool_calls_total", "tool") == {"other"}
    assert len(told.labels("flotilla_tool_calls_total", "principal")) == 101
    assert told.value("flotilla_tool_calls_total", principal="other") == 10


async def test_workers_of_one_server_tell_one_count(tmp_path: Path) -> None:
    key = SigningKey.generate()
    with http_server("billing", tmp_path, *flags(tmp_path, key, "--workers", "2"), tokens=True) as running:
        for _ in range(8):  # each over a connection of its own, which the workers take in turn
            await call(running.url, key, "get_transaction", transaction_id=CHARGE)
        told = scrape(metrics_url(tmp_path / "billing.log"))
    assert told.value("flotilla_tool_calls_total", tool="get_transaction", outcome="ok") == 8
    assert told.value("flotilla_tool_seconds_count", tool="get_transaction") == 8
    assert told.value("flotilla_approvals_waiting", server="billing") == 0

"""The fleet with the files of deploy/compose over it: open to MCP clients of your own, and watched by Prometheus."""

import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import claude_agent_sdk
import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.exceptions import ToolError
from support.compose import ComposedFleet, composed_fleet
from support.compose_case import Case
from support.container_images import prometheus_image

pytestmark = pytest.mark.containers
PORTS = {"billing": 8101, "crm": 8102, "k8s": 8103, "memory": 8104}
PROMETHEUS = "http://127.0.0.1:9090"
CLAUDE = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"


@pytest.fixture(scope="module")
def opened(images: dict[str, str]) -> Generator[ComposedFleet]:
    prometheus_image()
    with composed_fleet("flotilla-open", "direct", "observability") as fleet:
        fleet.compose("up", "-d", "--no-deps", "prometheus")
        yield fleet


async def test_a_client_with_a_mandate_calls_the_tools_that_it_names_and_no_others(opened: ComposedFleet) -> None:
    mandate = opened.setup("mandate", "billing", "find_transactions", "get_invoice")
    transport = StreamableHttpTransport(f"http://127.0.0.1:{PORTS['billing']}/mcp", auth=mandate)
    async with Client(transport) as client:
        assert {tool.name for tool in await client.list_tools()} == {"find_transactions", "get_invoice"}
        found = await client.call_tool("find_transactions", {"customer_id": "cust_12345"})
        assert found.structured_content and found.structured_content["items"]
        with pytest.raises(ToolError):
            await client.call_tool("issue_refund", {"transaction_id": "ch_1", "amount_minor": 1})


@pytest.mark.parametrize("server", PORTS)
def test_claude_code_connects_as_the_docs_say(opened: ComposedFleet, server: str, tmp_path: Path) -> None:
    tool = {"billing": "get_invoice", "crm": "get_account", "k8s": "list_namespaces", "memory": "search_knowledge"}
    header = f"Authorization: Bearer {opened.setup('mandate', server, tool[server])}"
    url = f"http://127.0.0.1:{PORTS[server]}/mcp"
    environ = {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path / "claude"), "PATH": "/usr/bin:/bin"}

    def claude(*words: str) -> str:
        done = subprocess.run(
            [CLAUDE, "mcp", *words], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    claude("add", "--transport", "http", server, url, "--header", header)
    assert f"{server}: {url} (HTTP) - " in (listed := claude("list"))
    assert "Connected" in listed
    claude("remove", server)
    claude("add", "--transport", "http", server, url, "--header", "Authorization: Bearer nobody")
    assert "Connected" not in claude("list")


def test_prometheus_scrapes_every_process_and_knows_the_alerts(opened: ComposedFleet) -> None:
    case = Case(opened)
    opened.setup("approver", "ada")
    case.approve()
    case.succeeds()
    up = opened.wait("all to be scraped", lambda: len(found := query("up == 1")) == 5 and found)
    assert {one["metric"]["instance"] for one in up} == {f"{name}:9464" for name in (*PORTS, "orchestrator")}
    (refunded,) = opened.wait(
        "the refund to be counted",
        lambda: query('flotilla_tool_calls_total{server="billing", tool="issue_refund", outcome="ok"} > 0'),
    )
    assert refunded["value"][1] == "1"
    opened.wait("the run to be counted", lambda: query('sum(flotilla_runs_ended_total{status="ok"}) > 0'))
    rules = httpx2.get(f"{PROMETHEUS}/api/v1/rules", trust_env=False).json()["data"]["groups"][0]["rules"]
    assert "FlotillaApprovalWaiting" in {rule["name"] for rule in rules}
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}


def query(expression: str) -> list[dict[str, Any]]:
    answer = httpx2.get(f"{PROMETHEUS}/api/v1/query", params={"query": expression}, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["result"]

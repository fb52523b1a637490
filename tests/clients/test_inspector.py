"""The MCP Inspector's CLI lists and calls tools over both transports and in both protocol eras."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest
from support.node import run_client
from support.processes import BIN, http_server

PATIENT = ["--connect-timeout", "120000"]  # ms; a busy machine takes longer than the 15 s it waits by itself
CALL = ["--method", "tools/call", "--tool-name", "get_customer_billing", "--tool-arg"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with http_server("billing", tmp_path_factory.mktemp("billing"), "--demo-data") as running:
        yield running.url


@pytest.fixture(params=["stdio", "http legacy", "http modern"])
def target(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> list[str]:
    if request.param == "stdio":
        return [*PATIENT, str(BIN / "flotilla-billing"), "--demo-data", "--home", str(tmp_path)]
    return [*PATIENT, url, "--transport", "http", "--protocol-era", request.param.removeprefix("http ")]


@pytest.mark.xdist_group("inspector")
def test_lists_tools_with_valid_schemas(target: list[str], tmp_path: Path) -> None:
    listed = run_client(tmp_path, "mcp-inspector", "--cli", *target, "--method", "tools/list", "--strict")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    names = {tool["name"] for tool in json.loads(listed.stdout)["tools"]}
    assert {"find_transactions", "issue_refund"} <= names


@pytest.mark.xdist_group("inspector")
def test_calls_a_tool(target: list[str], tmp_path: Path) -> None:
    called = run_client(tmp_path, "mcp-inspector", "--cli", *target, *CALL, "customer_id=cust_12345")
    assert called.returncode == 0, called.stdout + called.stderr
    assert json.loads(called.stdout)["structuredContent"]["customer_id"] == "cust_12345"


@pytest.mark.xdist_group("inspector")
def test_a_refusal_is_an_error_result(target: list[str], tmp_path: Path) -> None:
    called = run_client(tmp_path, "mcp-inspector", "--cli", *target, *CALL, "customer_id=cust_nobody")
    assert called.returncode == 5, called.stdout + called.stderr  # Inspector's code for isError
    assert json.loads(called.stdout)["isError"] is True

"""The official MCP conformance suite's scenarios that apply to any server, in both protocol eras."""

from collections.abc import Generator
from pathlib import Path

import pytest
from support.node import CLIENTS, run_client
from support.processes import http_server

LEGACY = ["server-initialize", "ping", "tools-list", "dns-rebinding-protection"]
MODERN = ["tools-list", "caching", "dns-rebinding-protection", "http-header-validation", "server-stateless"]
WITH_RESOURCES = ["resources-list"]
MODERN_WITH_RESOURCES = [*WITH_RESOURCES, "sep-2164-resource-not-found"]

CASES = [
    *(("billing", "2025-11-25", scenario) for scenario in LEGACY),
    *(("billing", "2026-07-28", scenario) for scenario in MODERN),
    *(("memory", "2025-11-25", scenario) for scenario in [*LEGACY, *WITH_RESOURCES]),
    *(("memory", "2026-07-28", scenario) for scenario in [*MODERN, *MODERN_WITH_RESOURCES]),
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    home = tmp_path_factory.mktemp("servers")
    with (
        http_server("billing", home / "billing", "--demo-data") as billing,
        http_server("memory", home / "memory", "--demo-data") as memory,
    ):
        yield {"billing": billing.url, "memory": memory.url}


@pytest.mark.xdist_group("conformance")
@pytest.mark.parametrize(("server", "version", "scenario"), CASES)
def test_server_passes(servers: dict[str, str], tmp_path: Path, server: str, version: str, scenario: str) -> None:
    baseline = ["--expected-failures", CLIENTS / "baseline.yml"] if scenario == "server-stateless" else []
    ran = run_client(
        tmp_path,
        "conformance",
        *("server", "--url", servers[server], "--scenario", scenario, "--spec-version", version),
        *baseline,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "passed" in (ran.stdout + ran.stderr).lower()

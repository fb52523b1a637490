"""The bundled `claude` connects our servers after `claude mcp add`, over stdio, over HTTP, and without a clone."""

import asyncio
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import claude_agent_sdk
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from flotilla_billing.payments_import import SAMPLE
from support.answers import answer_of
from support.processes import BIN, clean_environment, http_server

CLAUDE = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
ROOT = Path(__file__).parents[2]


def claude(home: Path, *arguments: str | Path) -> str:
    """Run the CLI with a configuration of its own and no way to reach a model; returns what it printed."""
    environment = clean_environment(
        home,
        {
            "CLAUDE_CONFIG_DIR": str(home / "claude"),
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "MCP_TIMEOUT": "120000",  # the first start by uvx builds and installs
        },
    )
    ran = subprocess.run(
        [CLAUDE, "mcp", *arguments], env=environment, cwd=home, capture_output=True, text=True, timeout=200, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def line_of(listing: str, server: str) -> str:
    return next(line for line in listing.splitlines() if line.startswith(f"{server}:"))


def test_stdio_server_is_connected(tmp_path: Path) -> None:
    claude(tmp_path, "add", "billing", "--", BIN / "flotilla-billing", "--home", tmp_path)
    assert "Connected" in line_of(claude(tmp_path, "list"), "billing")


def test_http_server_is_connected(tmp_path: Path) -> None:
    with http_server("billing", tmp_path / "server") as running:
        claude(tmp_path, "add", "--transport", "http", "billing", running.url)
        assert "Connected" in line_of(claude(tmp_path, "list"), "billing")


def test_one_line_connects_the_server_without_a_clone(tmp_path: Path) -> None:
    """README's first screen: uvx builds from git alone; the sister package comes from the same commit."""
    git = shutil.which("git")
    assert git is not None
    clone = tmp_path / "remote"
    subprocess.run([git, "clone", "-q", "--no-hardlinks", ROOT, clone], check=True)
    address = f"git+file://{clone}#subdirectory=servers/billing"
    uvx = [BIN / "uvx", "--system-certs", "--from", address, "flotilla-billing", "--home", tmp_path]
    claude(tmp_path, "add", "billing", "--", *uvx)
    if "Connected" not in line_of(claude(tmp_path, "list"), "billing"):
        ran = subprocess.run(
            [*uvx, "tools"], env=clean_environment(tmp_path), capture_output=True, text=True, check=False
        )
        pytest.fail(f"not connected: {ran.stdout}{ran.stderr}")
    command = asyncio.run(command_that_fills([str(word) for word in uvx], tmp_path))
    words = [str(SAMPLE) if word == "payments.csv" else word for word in shlex.split(command)]
    elsewhere = {"PATH": os.defpath, "HOME": str(tmp_path)}
    subprocess.run(words, env=elsewhere, check=True, capture_output=True)  # with no uv, no network and no flag of uvx


async def command_that_fills(server: list[str], home: Path) -> str:
    """What an empty server that was started so says to run."""
    transport = StdioTransport(server[0], server[1:], env=clean_environment(home), log_file=home / "log")
    async with Client(transport) as client:
        empty = answer_of(await client.call_tool("find_transactions", {}, raise_on_error=False))
    return str(empty["details"]["command"])

"""A server that keeps nothing of its own: the kit's database has its records, and every sub-command works for it."""

import asyncio
import json
import subprocess
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from flotilla_kit import effects
from flotilla_kit.effects import ExternalEffects
from flotilla_kit.storage import KIT_MIGRATIONS, Database
from light_switch import Device, Settings, create_server
from pydantic import TypeAdapter
from support import programs
from support.approving import approve_all
from support.device import LATE_S, DeviceProcess, device_process
from support.processes import clean_environment, http_server

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
COMMAND = ("flotilla_kit", "light_switch")  # as after `python -m`


@pytest.fixture
def device(tmp_path: Path) -> Generator[DeviceProcess]:
    with device_process(tmp_path) as running:
        yield running


def settings(home: Path, device: DeviceProcess, **given: object) -> Settings:
    return Settings.load({"home": home, "device_url": device.url, **given})


def run(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = clean_environment(home, {"PYTHONPATH": str(EXAMPLES)})
    return programs.run(*COMMAND, *arguments, environ=environment, folder=home)


async def test_its_approvals_effects_and_audit_are_in_one_database_that_the_command_reads(
    tmp_path: Path, device: DeviceProcess
) -> None:
    async with Client(create_server(settings(tmp_path, device))) as client:
        await client.call_tool("set_light", {"on": True}, raise_on_error=False)
        listed = await asyncio.to_thread(run, tmp_path, "approvals", "list", "--json")
        (approval,) = TypeAdapter(list[dict[str, object]]).validate_json(listed.stdout)
        assert (approval["tool"], approval["facts"]) == ("set_light", {"on": False})
        await approve_all(settings(tmp_path, device))
        await client.call_tool("set_light", {"on": True, "idempotency_key": "evening"})
    verified = json.loads(run(tmp_path, "audit", "verify", "--json").stdout)
    assert verified["ok"] and verified["records"] == 2
    assert "set_light" in run(tmp_path, "tools").stdout
    assert run(tmp_path, "import", "file.csv").returncode == 2
    assert (tmp_path / "light.db").exists() and not (tmp_path / "light-audit.db").exists()


def test_it_is_ready_when_the_kits_database_answers(tmp_path: Path) -> None:
    with http_server("light", tmp_path, program=COMMAND, environment={"PYTHONPATH": str(EXAMPLES)}) as server:
        assert httpx2.get(server.url.replace("/mcp", "/readyz")).json() == {"status": "ok"}


async def test_read_only_it_offers_only_reads_and_drives_nothing_on(tmp_path: Path, device: DeviceProcess) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'light.db'}", [KIT_MIGRATIONS])
    left = ExternalEffects("light", database, Device(settings(tmp_path, device)))
    effect = effects.Effect("owner", "", "set_light", "key", effects.digest({"on": True}), mode="cleared")
    await database.write(left.reserve, effect, "ext_1", {"on": True}, {"effect_id": "ext_1"})
    await database.close()
    async with Client(create_server(settings(tmp_path, device, read_only=True))) as client:
        assert [tool.name for tool in await client.list_tools()] == ["get_light"]
        assert (await client.call_tool("get_light")).structured_content == {"on": False}
        await asyncio.sleep(1.5)  # longer than what is reserved waits for whoever reserved it
    assert device.changes() == []
    assert (tmp_path / "light-audit.db").exists()
    async with Client(create_server(settings(tmp_path, device))), asyncio.timeout(60):
        while not device.changes():  # noqa: ASYNC110  another process makes them
            await asyncio.sleep(0.05)


async def test_a_caller_that_is_cancelled_cancels_nothing(tmp_path: Path, device: DeviceProcess) -> None:
    chosen = settings(tmp_path, device, tool_timeout_s=LATE_S / 2)
    async with Client(create_server(chosen)) as client:
        await client.call_tool("set_light", {"on": True}, raise_on_error=False)
        await approve_all(chosen)
        device.misbehave("slow")
        with pytest.raises(ToolError, match="timed_out"):
            await client.call_tool("set_light", {"on": True, "idempotency_key": "evening"})
        again = {"on": True, "idempotency_key": "evening"}
        async with asyncio.timeout(60):
            while (await client.call_tool("set_light", again, raise_on_error=False)).is_error:  # noqa: ASYNC110  as above
                await asyncio.sleep(0.05)
    assert len(device.changes()) == 1

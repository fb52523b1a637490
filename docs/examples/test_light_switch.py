"""The light changes once, and only once a person agreed; the device is a process of its own."""

from pathlib import Path

from fastmcp import Client
from light_switch import Settings, create_server
from support.approving import approve_all
from support.device import device_process


async def test_the_light_changes_once_and_only_when_a_person_agreed(tmp_path: Path) -> None:
    with device_process(tmp_path) as device:
        settings = Settings.load({"home": tmp_path, "device_url": device.url})
        async with Client(create_server(settings)) as client:
            asked = await client.call_tool("set_light", {"on": True}, raise_on_error=False)
            assert asked.is_error and device.changes() == []
            await approve_all(settings)
            for _ in range(2):
                done = await client.call_tool("set_light", {"on": True, "idempotency_key": "evening"})
                assert done.structured_content == {"on": True}
            assert len(device.changes()) == 1

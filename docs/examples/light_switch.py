"""A guarded server for a light that another process switches: `python -m flotilla_kit light_switch`."""

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx2
from fastmcp import FastMCP
from fastmcp.tools import tool
from flotilla_kit.cli import ServerSpec
from flotilla_kit.effects import ExternalSystem, IdempotencyKey
from flotilla_kit.errors import Conflict
from flotilla_kit.server import build_server
from flotilla_kit.settings import ServerSettings
from flotilla_kit.storage import Store
from flotilla_kit.tools import READ, WRITE, declare, external_system, perform


class Settings(ServerSettings):
    server: ClassVar[str] = "light"
    device_url: str = "http://127.0.0.1:8200"


class Device(ExternalSystem):
    def __init__(self, settings: Settings) -> None:
        self._url = settings.device_url

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        async with httpx2.AsyncClient(base_url=self._url) as http:
            answer = await http.request(method, path, json=body)
        if answer.status_code == 409:
            raise Conflict("The device is locked.")
        return None if answer.status_code == 404 else answer.raise_for_status().json()

    async def perform(self, request: Mapping[str, Any], key: str, /) -> Any:
        return await self.ask("POST", "/changes", {**request, "reference": key})

    async def find(self, request: Mapping[str, Any], key: str, /) -> Any:
        return await self.ask("GET", f"/changes/{key}")


@tool(annotations=READ)
async def get_light() -> dict[str, bool]:
    """Whether the light is on."""
    return await external_system().ask("GET", "/light")


@tool(annotations=WRITE)
@declare(approval="always")
async def set_light(on: bool, idempotency_key: IdempotencyKey | None = None) -> dict[str, bool]:
    """Switch the light on or off; a person approves it first."""
    return await perform({"on": on}, facts=await get_light())


def create_server(settings: Settings, store: Store | None = None) -> FastMCP:
    device = Device(settings)
    return build_server(settings, store, instructions="One light.", tools=[get_light, set_light], system=device)


SPEC = ServerSpec(None, create_server)

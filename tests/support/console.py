"""The console in this process: somebody's browser without its screen."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import httpx2

from .service import Desk

ORIGIN = "http://localhost"


class Browser:
    """A client that keeps cookies, and sends forms as the last page had them."""

    def __init__(self, client: httpx2.AsyncClient, origin: str = ORIGIN) -> None:
        self.client, self.origin = client, origin
        self.page: httpx2.Response | None = None
        self.form_token = ""
        """Of the last page that had a form."""

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return self._shown(await self.client.get(f"/console{path}", headers=headers))

    async def post(
        self, path: str, fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, **more: str
    ) -> httpx2.Response:
        """With the form token of the last page, unless the fields have one."""
        given = {"form_token": self.form_token, **(fields or {}), **more}
        sent = {"Origin": self.origin, **(headers or {})}
        return self._shown(await self.client.post(f"/console{path}", data=given, headers=sent))

    def hidden(self, name: str) -> str:
        """The value of a hidden field of the last page."""
        assert self.page is not None
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page.text)
        assert found, self.page.text
        return unescape(found[1])

    def _shown(self, page: httpx2.Response) -> httpx2.Response:
        self.page = page
        if 'name="form_token"' in page.text:
            self.form_token = self.hidden("form_token")
        return page

    async def sign_in(self, token: Mapping[str, str], wanted: str = "") -> httpx2.Response:
        """`token`: the header of the API."""
        await self.get(f"/sign-in?next={wanted}" if wanted else "/sign-in")
        presented = token["Authorization"].removeprefix("Bearer ")
        answer = await self.post("/sign-in", token=presented, next=self.hidden("next"))
        await self.get("/start" if (await self.get("/")).status_code == 403 else "/")
        return answer


@asynccontextmanager
async def browser(api: Desk, token: Mapping[str, str] | None = None, **options: Any) -> AsyncGenerator[Browser]:
    """A new one, signed in with a token, at the same service."""
    transport = api.client._transport  # pyright: ignore[reportPrivateUsage]  # another client of the same application
    async with httpx2.AsyncClient(transport=transport, base_url=options.get("origin", ORIGIN)) as client:
        found = Browser(client, options.get("origin", ORIGIN))
        if token:
            assert (await found.sign_in(token)).status_code == 303
        yield found

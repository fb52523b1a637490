"""What pages by `limit` and `cursor` returns each row once."""

import json
from typing import Any

from ..harness import Harness
from ..rule import rule
from ..server import Read


def paging(harness: Harness) -> list[Read]:
    """The samples of tools that page."""

    def pages(sample: Read) -> bool:
        return {"limit", "cursor"} <= set(harness.tools[sample.tool]["inputSchema"].get("properties", {}))

    return [sample for sample in harness.server.reads if pages(sample)]


@rule
async def pages_return_each_row_once(harness: Harness) -> None:
    """In the order of the whole, page by page of one and of two rows; no page has more than was asked for."""
    for sample in paging(harness):
        await _walk(harness, sample)


async def _walk(harness: Harness, sample: Read) -> None:
    caller = harness.worker(sample.tool)
    whole = await _page(harness, caller, sample, {"limit": 100})
    rows: list[Any] = whole["items"]
    assert len(rows) >= 2, f"the sample of {sample.tool} needs at least two rows"
    assert whole["next_cursor"] is None, f"the sample of {sample.tool} has more than a hundred rows"
    assert len({json.dumps(row, sort_keys=True) for row in rows}) == len(rows), f"{sample.tool}: a row is there twice"
    for limit in (1, 2):
        seen: list[Any] = []
        cursor: dict[str, Any] = {}
        while len(seen) <= len(rows):
            page = await _page(harness, caller, sample, {"limit": limit, **cursor})
            assert len(page["items"]) <= limit, f"{len(page['items'])} rows where {limit} were asked for"
            seen += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == rows, f"{sample.tool}: pages of {limit} are not the whole"


async def _page(harness: Harness, caller: Any, sample: Read, more: dict[str, Any]) -> dict[str, Any]:
    answer = await caller.call(sample.tool, {**sample.nth(0), **more})
    assert answer.code == "ok" and set(answer.data) >= {"items", "next_cursor"}, answer.text[:300]
    return answer.data


RULES = [pages_return_each_row_once]

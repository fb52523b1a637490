"""What the model sees: names, descriptions, annotations, bytes, and a snapshot of it all for reviewers."""

import difflib
import json
import os
import re
from typing import Any

from ..harness import Harness
from ..rule import rule, rule_where

LONGEST_NAME = 32  # Claude Code shows mcp__SERVER__TOOL and stops at 64
HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
SHOWN = ("name", "description", "inputSchema", "annotations")
_NAME = re.compile(r"[a-z]+(_[a-z0-9]+)+|remember|recall|forget")  # verb_noun, and a field's own verbs


@rule
async def every_tool_has_a_sample(harness: Harness) -> None:
    """What has none, the suite would not try."""
    assert set(harness.tools) == {sample.tool for sample in harness.server.samples}


@rule
async def tools_are_named_and_described(harness: Harness) -> None:
    """By a verb and a noun, in at most 32 characters; the description begins with a whole sentence."""
    for name, tool in harness.tools.items():
        assert len(name) <= LONGEST_NAME and _NAME.fullmatch(name), f"{name} is not a short verb_noun"
        said = (tool["description"] or "").strip()
        assert said and re.search(r"[.?!:)]", said), f"{name} is not described"


@rule
async def tools_say_all_four_annotations(harness: Harness) -> None:
    """Clients decide by them what to ask a person; what is left out, they guess."""
    changes = {sample.tool for sample in harness.server.changes}
    for name, tool in harness.tools.items():
        hints: dict[str, Any] = tool["annotations"] or {}
        missing = [hint for hint in HINTS if hints.get(hint) is None]
        assert not missing, f"{name} says nothing of {', '.join(missing)}"
        assert hints["readOnlyHint"] == (name not in changes), f"{name}: a Change changes something, a Read does not"


@rule
async def the_tools_fit_their_byte_budget(harness: Harness) -> None:
    """What a model is shown costs tokens on every call: name, description and input schema."""
    sizes = {name: _bytes(tool) for name, tool in harness.tools.items()}
    most = harness.server.bytes_per_tool
    assert sum(sizes.values()) < most * len(sizes), f"{sizes}: not below {most} bytes a tool"


@rule_where(lambda server: server.snapshot)
async def what_the_model_sees_is_in_the_snapshot(harness: Harness) -> None:
    """A change to it is read by a person: set FLOTILLA_SNAPSHOTS=write, run again and commit the file."""
    path = harness.server.snapshot
    assert path is not None
    tools = [{key: harness.tools[name][key] for key in SHOWN} for name in sorted(harness.tools)]
    seen = json.dumps(tools, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("FLOTILLA_SNAPSHOTS") == "write":
        path.write_text(seen, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    changed = difflib.unified_diff(kept.splitlines(), seen.splitlines(), str(path), "what the model sees", lineterm="")
    assert kept == seen, "\n".join(changed)


def _bytes(tool: dict[str, Any]) -> int:
    shown = {"name": tool["name"], "description": tool["description"], "input_schema": tool["inputSchema"]}
    return len(json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode())


RULES = [
    every_tool_has_a_sample,
    tools_are_named_and_described,
    tools_say_all_four_annotations,
    the_tools_fit_their_byte_budget,
    what_the_model_sees_is_in_the_snapshot,
]

"""Writes docs/servers.md from the code: each server's tools, what they cost a model, and its settings.

python -m scripts.docs            write it
python -m scripts.docs --check    exit 1 if it is not what the code says
"""

import asyncio
import importlib
import sys
import tempfile
from pathlib import Path

from fastmcp import FastMCP
from flotilla_kit.guard.surface import model_bytes
from flotilla_kit.settings import ServerSettings

SERVERS = ("billing", "crm", "k8s", "memory")
TARGET = Path(__file__).parent.parent / "docs" / "servers.md"
HEAD = """# Servers: tools and settings

Written by `python -m scripts.docs` from the code; `make check` says when it is out of step.

Bytes are what a model is shown of a tool: its name, description and input schema. A setting `some_name` is the flag
`--some-name`, the variable in the table, or `some_name` in `SERVER.toml` in the home folder: flags win over variables,
variables over the file, and a name that is unknown is an error.
"""


async def page() -> str:
    parts = [HEAD]
    with tempfile.TemporaryDirectory() as home:
        for name in SERVERS:
            settings_class: type[ServerSettings] = importlib.import_module(f"flotilla_{name}.settings").Settings
            server: FastMCP = importlib.import_module(f"flotilla_{name}.server").create_server(
                settings_class.load({"home": Path(home)})
            )
            parts += [f"## flotilla-{name}", await _tools(server), _settings(settings_class)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


async def _tools(server: FastMCP) -> str:
    rows = ["| tool | | bytes | what the model reads |", "|---|---|---:|---|"]
    for tool in await server.list_tools(run_middleware=False):
        reads = tool.annotations is not None and tool.annotations.read_only_hint
        said = " ".join((tool.description or "").split())
        rows.append(f"| `{tool.name}` | {'reads' if reads else 'writes'} | {model_bytes(tool)} | {said} |")
    return "\n".join(rows)


def _settings(settings_class: type[ServerSettings]) -> str:
    prefix = settings_class.model_config.get("env_prefix", "")
    rows = ["| setting | variable | |", "|---|---|---|"]
    rows += [
        f"| `{name}` | `{field.validation_alias or (prefix + name).upper()}` | {field.description} |"
        for name, field in settings_class.model_fields.items()
    ]
    return "\n".join(rows)


def main() -> int:
    wanted = asyncio.run(page())
    if sys.argv[1:] == ["--check"]:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted:
            print(f"{TARGET.name} is out of step with the code; run `python -m scripts.docs`", file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

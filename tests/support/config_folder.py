"""A config folder to write into."""

from pathlib import Path

import pytest
from flotilla_orchestrator.config.config import Config, ConfigError
from flotilla_orchestrator.config.files import load

FLEET = "servers:\n  desk: {command: [desk-server]}\n"
LEAD = "---\nname: lead\ndescription: Leads.\ntools: []\ndelegates: [helper]\n---\nLead.\n"
HELPER = "---\nname: helper\ndescription: Helps.\ntools: mcp__desk__look, mcp__desk__fix\n---\nHelp.\n"
CASE = "name: case\ndescription: A case.\nlead: lead\noutput: {type: object}\n"


class Folder:
    """A config folder that is fine until a test writes into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name, text in {
            "fleet.yaml": FLEET,
            "workers/lead.md": LEAD,
            "workers/helper.md": HELPER,
            "playbooks/case.yaml": CASE,
        }.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def load(self) -> Config:
        return load(self.path)

    def problems(self) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load()
        return [str(problem).removeprefix(f"{self.path}/") for problem in caught.value.problems]

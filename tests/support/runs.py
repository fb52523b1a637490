"""Runs of the `flotilla` command that are killed and taken up again, on a case with two workers and one approval."""

import json
import os
import re
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any

import yaml

from . import homes, programs
from .commands import Watched, descendants
from .processes import clean_environment
from .programs import Program
from .stage import OUTPUT, answer, delegate
from .teller import REFUND, refund

READ = "mcp__billing__get_transaction"
LOOK = {"call": READ, "arguments": {"transaction_id": "ch_maya_feb_1"}}


class Killed:
    """A home and a config folder: a lead has a clerk refund, which has to be approved, while a reader looks things up.

    Args:
        environment: on top of a clean one.
        flags: of the billing server.
        session_wait_s: how long a session keeps its process while its calls wait; 0: it ends in front of each.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str] | None = None, *flags: str, session_wait_s: float = 0
    ) -> None:
        self._session_wait_s = session_wait_s
        self.home, self.configs = folder / "home", folder / "configs"
        self.home.mkdir(parents=True)
        homes.prepare(self.home)
        self.environment = clean_environment(self.home, environment)
        reports = "{{ results.delegate.reports | map(attribute='status') | join(' ') }}"
        said = "{{ results.delegate.reports[0].report }}"
        agents = {
            "lead": [
                delegate(("clerk", "pay"), ("reader", "look")),
                answer(f"{reports}: {said}"),
                answer(f"it was {reports}; asked: {{{{ heard | regex('And who.*') }}}}"),
            ],
            "clerk": [LOOK, refund(), {"say": "{{ results.refund.status if 'refund' in results else errors.refund }}"}],
            "reader": [LOOK, {**LOOK, "id": "again"}, {"say": "looked"}],
        }
        self._write("fleet.yaml", yaml.safe_dump(self._fleet(flags)))
        playbook = {"name": "case", "description": "A case.", "lead": "lead", "output": OUTPUT}
        self._write("playbooks/case.yaml", yaml.safe_dump(playbook))
        scripts = {name: [{"turns": turns}] for name, turns in agents.items()}
        self._write("rehearsals/case.yaml", yaml.safe_dump({"name": "case", "agents": scripts}))
        self._worker("lead", delegates=["clerk", "reader"])
        self._worker("clerk", tools=[READ, REFUND])
        self._worker("reader", tools=[READ])

    def begin(self, *more: str) -> list[str]:
        """The command line that starts the run."""
        return ["run", "case", "Refund it.", "--rehearse", "--configs", str(self.configs), "--json", *more]

    def start(self, *words: str, site: str = "", nth: int = 0, stderr: int | IO[str] = PIPE) -> Program:
        """The command in a process group of its own, killed at the nth passing of a site, if one is named."""
        command = ["support.killed_run", site, str(nth)] if site else ["flotilla"]
        return programs.start(
            *command, *words, environ=self.environment, folder=self.home, stderr=stderr, new_session=True
        )

    def waiting(self, *words: str) -> tuple[Program, str]:
        """The command, at work until its call waits for an approval, and the approval's id."""
        process = self.start(*words)
        assert process.stderr
        for line in process.stderr:
            if found := re.search(r"approvals approve (apr_[0-9a-f]{20})", line):
                return process, found[1]
        raise AssertionError(f"nothing waited: {process.communicate()}")

    def decide(self, *words: str) -> None:
        """By an approver with a key; the run need not be at work."""
        self.add_approver()
        key = self.home / "approvers" / "billing-ada.jwk"
        where = ["--server", "billing", "--key", str(key), "--configs", str(self.configs)]
        decided = self.start("approvals", *words, *where, "--confirm", "245.00 USD", "--json")
        out, err = decided.communicate()
        assert decided.returncode == 0, out + err

    def add_approver(self, name: str = "ada") -> None:
        added = ["flotilla-billing", "approvers", "add", name]
        assert programs.run(*added, environ=self.environment, folder=self.home).returncode == 0

    def kill(self, process: Program) -> None:
        """`kill -9` of its whole group; nothing that it had started is left."""
        watched = Watched({**descendants(process.pid), **self.at_work()})
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert watched.alive_after(15) == []

    def at_work(self) -> dict[int, str]:
        """Every process that was started with this home, or a folder in it, in its environment, or whose working folder
        is one of this case's (Linux)."""
        found: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                given = str(self.home).encode() in (folder / "environ").read_bytes()
                if given or (folder / "cwd").readlink().is_relative_to(self.home.parent):
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue  # it ended while we looked
        return found

    def forget_claude(self) -> None:
        """Delete what the CLI keeps for itself."""
        for folder in self.home.glob("runs/*/claude"):
            shutil.rmtree(folder)

    def finish(self, *words: str) -> dict[str, Any]:
        """Run the command to its end; its answer."""
        process = self.start(*words)
        out, err = process.communicate()
        assert process.returncode in (0, 1), err
        return json.loads(out)

    def answer(self, *words: str) -> dict[str, Any]:
        """What a command says in JSON, well or ill."""
        process = self.start(*words, "--json")
        out, err = process.communicate()
        assert process.returncode in (0, 1, 2), err
        return json.loads(out)

    def trace(self) -> list[dict[str, Any]]:
        return self.finish("trace", "--json")["spans"]

    def _fleet(self, flags: tuple[str, ...]) -> dict[str, Any]:
        return {
            "servers": {"billing": {"command": [*programs.command("flotilla-billing"), "--demo-data", *flags]}},
            "limits": {"retries": 0, "session_wait_s": self._session_wait_s},
        }

    def _worker(self, name: str, **front: Any) -> None:
        keys = yaml.safe_dump({"name": name, "description": f"The {name}.", **front})
        self._write(f"workers/{name}.md", f"---\n{keys}---\nDo it.\n")

    def _write(self, path: str, text: str) -> None:
        file = self.configs / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

"""Runs in the shared queue: ordered, worked on by `flotilla work` processes, and decided about."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from flotilla_kit.identity.approvers import mint, read_key
from flotilla_orchestrator.fleet.approvals import approvals_over_http

from .commands import descendants
from .programs import Program
from .runs import LOOK, READ, Killed
from .stage import OUTPUT, answer
from .teller import REFUND, refund

_INPUTS = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}


class Queued(Killed):
    """A home and a config folder with three playbooks: `case` (see Killed), `look`, and `pay`, which waits for an
    approval of a refund of its own amount; each of the two has one session in one or two parts.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, environment, "--refund-approval-above-minor", "1")
        amount = "{{ task | regex('amount: (\\d+)') | int }}"
        turns = {
            "look": [LOOK, answer("looked")],
            "pay": [LOOK, refund(amount), answer("{{ results.refund.status if 'refund' in results else 'refused' }}")],
        }
        for name, answers in turns.items():
            playbook = {"name": name, "description": name, "lead": "single", "output": OUTPUT, "inputs": _INPUTS}
            self._write(f"playbooks/{name}.yaml", yaml.safe_dump(playbook))
            script = {"name": name, "agents": {"single": [{"turns": answers}]}}
            self._write(f"rehearsals/{name}.yaml", yaml.safe_dump(script))
        self._worker("single", tools=[READ, REFUND])

    def order(self, playbook: str, *more: str) -> str:
        """The id of a run that is now in the queue."""
        found = self.answer("run", playbook, "Do it.", "--rehearse", "--queue", *self.where, *more)
        assert found["state"] == "queued", found
        return found["run_id"]

    @property
    def where(self) -> list[str]:
        return ["--configs", str(self.configs)]

    def worker(self, *words: str, name: str = "local") -> Program:
        """A worker, once it is at work."""
        self.environment["FLOTILLA_EXECUTOR_ID"] = name
        log = self.home / f"worker-{name}.log"  # a pipe that nobody reads would fill up with what waits for people
        with log.open("w") as errors:
            process = self.start("work", *self.where, *words, stderr=errors)
        assert process.stdout
        said = process.stdout.readline()
        assert said.startswith(f"{name} is at work"), f"{said}{log.read_text()}"
        return process

    def until_idle(self, *words: str, name: str = "local") -> dict[str, Any]:
        """Work until nothing is left to do."""
        self.environment["FLOTILLA_EXECUTOR_ID"] = name
        process = self.start("work", "--until-idle", *self.where, *words, "--json")
        out, err = process.communicate(3000)
        assert process.returncode == 0, err
        return json.loads(out)

    def states(self) -> dict[str, str]:
        """The state of each run."""
        return {run["run_id"]: run["state"] for run in self.answer("runs", "--limit", "1000")["runs"]}

    def approve(self, run_id: str) -> None:
        """By the approver, while nothing is at work."""
        (run,) = [run for run in self.answer("runs", "--state", "waiting")["runs"] if run["run_id"] == run_id]
        waits = run["waits_for"][0]
        key = self.home / "approvers" / "billing-ada.jwk"
        words = ["approve", waits["approval_id"], "--server", "billing", "--key", str(key), *self.where]
        said = self.answer("approvals", *words, "--confirm", waits["of"])
        assert "error" not in said, said

    def server_url(self, server: str, name: str = "local") -> str:
        """The address of a worker's server."""
        log = (self.home / "workers" / name / f"{server}.log").read_text().splitlines()
        return [json.loads(line)["url"] for line in log if '"listening"' in line][-1]

    def approve_all(self, name: str = "local") -> int:
        """By the approver, at the server of a worker that is at work; how many there were."""
        key = read_key(self.home / "approvers" / "billing-ada.jwk")
        token = mint(key, issuer="flotilla-billing-approvers", audience="billing", minutes=59)
        approvals = approvals_over_http("billing", self.server_url("billing", name), lambda: token, local=True)

        async def approve() -> int:
            found = await approvals.list()
            for approval in found:
                await approvals.decide(approval.approval_id, "approve")
            return len(found)

        return asyncio.run(approve())


def sampled(pid: int) -> dict[int, str]:
    try:
        return descendants(pid)
    except OSError:
        return {}  # one ended while we looked


def sessions(processes: Mapping[int, str]) -> list[int]:
    """The Claude CLIs among them; a child of one looks like it until it has become another program."""
    found = {pid for pid, command in processes.items() if command.split(" ")[0].endswith("/claude")}
    return [pid for pid in found if _parent(pid) not in {None, *found}]


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None  # it has ended

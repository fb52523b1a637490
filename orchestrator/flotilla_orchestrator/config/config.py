"""A config folder that has been read: its fleet, workers and playbooks, or what is wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .fleet import Fleet, Rule
from .guardrails import Guardrail
from .playbooks import Playbook
from .prices import Prices, shipped_prices
from .workers import Worker


@dataclass(frozen=True)
class Problem:
    """Something to correct in a config file, or (a note) to know about it."""

    file: Path
    line: int
    message: str
    kind: Literal["error", "note"] = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {'note: ' if self.kind == 'note' else ''}{self.message}"


class ConfigError(Exception):
    """The config folder cannot be used; `problems` has all that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Config:
    folder: Path
    fleet: Fleet
    workers: Mapping[str, Worker]
    playbooks: Mapping[str, Playbook]
    notes: tuple[Problem, ...] = ()
    prices: Prices = field(default_factory=shipped_prices)
    guardrails: tuple[Guardrail, ...] = ()

    @property
    def rules(self) -> list[Rule]:
        """Those of `fleet.yaml`, and the guardrails that are about whole tools."""
        return [*self.fleet.rules, *(guardrail.rule for guardrail in self.guardrails if guardrail.rule)]

    def team(self, playbook: Playbook) -> Iterator[Worker]:
        """The workers that a playbook names, and those that their tasks can reach, each once."""
        seen: set[str] = set()
        pending = playbook.workers
        while pending:
            name = pending.pop(0)
            if name not in seen:
                seen.add(name)
                yield self.workers[name]
                pending += self.workers[name].reachable_workers

    def capabilities(self, playbook: Playbook) -> list[str]:
        """What a playbook can do: its own phrases, else those of its team."""
        team = (phrase for worker in self.team(playbook) for phrase in worker.capabilities)
        return playbook.capabilities or list(dict.fromkeys(team))

    def servers(self, playbook: Playbook) -> list[str]:
        """The servers that a run of the playbook calls."""
        called = {call.server for call in playbook.calls if call.server}
        return sorted(called.union(*(worker.servers for worker in self.team(playbook))))

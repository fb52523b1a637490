"""What a server's author says of it so that the suite can run over it: its settings, and a sample of each tool."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..cli import ServerSpec
from ..settings import ServerSettings

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Sample:
    """Arguments with which a tool works, within `ServerUnderTest.scope`. Write `Read` or `Change`."""

    tool: str
    arguments: Arguments | Callable[[int], Arguments] = field(default_factory=dict[str, Any])
    """A function of a number where a call cannot be made twice: other records for each number."""
    out_of_scope: Sequence[Arguments] = ()
    """Changes to the arguments that make them name records outside the scope, which are there."""

    def nth(self, number: int) -> dict[str, Any]:
        """Arguments for the call of that number."""
        return dict(self.arguments(number) if callable(self.arguments) else self.arguments)


@dataclass(frozen=True)
class Read(Sample):
    """A sample of a tool that changes nothing. One that pages has at least two rows to show."""


@dataclass(frozen=True)
class Change(Sample):
    """A sample of a tool with an effect. The suite has the effect happen some fifty times, a few hundred in full."""

    waits: bool = False
    """The server's own rule wants an approval of it."""


@dataclass(frozen=True)
class ServerUnderTest:
    """A server, and what the suite has to know of it.

    Args:
        given: settings of a server with that home folder, which it may write files to.
        prepare: puts records into the open store, before anything is called.
        state: everything that a call could change, comparable with `==`; by default the contents of all tables of the
            store's database, those of the kit apart. A store without a database needs it.
        count: how often the effects of the samples happened, in any unit; by default the rows in those tables.
        scope: whose records the samples are of, by each key that a mandate's scope can narrow there.
        canaries: texts that are in records outside the scope and nowhere else.
        snapshot: a JSON file with what the model sees, for reviewers; `FLOTILLA_SNAPSHOTS=write` writes it.
        bytes_per_tool: the most that a model is shown of a tool, on average.
    """

    spec: ServerSpec
    settings: type[ServerSettings]
    samples: Sequence[Sample]
    given: Callable[[Path], Mapping[str, Any]] = lambda home: {}
    prepare: Callable[[Any], Awaitable[None]] | None = None
    state: Callable[[Any], Awaitable[object]] | None = None
    count: Callable[[Any], Awaitable[int]] | None = None
    scope: Mapping[str, str] = field(default_factory=dict[str, str])
    canaries: Sequence[str] = ()
    snapshot: Path | None = None
    bytes_per_tool: int = 600

    @property
    def tools(self) -> list[Sample]:
        """The first sample of each tool."""
        return list({sample.tool: sample for sample in reversed(self.samples)}.values())[::-1]

    @property
    def changing_tools(self) -> list[Change]:
        """The first sample of each tool with an effect."""
        return [sample for sample in self.tools if isinstance(sample, Change)]

    @property
    def reads(self) -> list[Read]:
        return [sample for sample in self.samples if isinstance(sample, Read)]

    @property
    def changes(self) -> list[Change]:
        return [sample for sample in self.samples if isinstance(sample, Change)]

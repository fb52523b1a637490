"""A rule of the suite: one promise that every server keeps, as a coroutine function that fails where it is broken."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .server import Sample, ServerUnderTest

Cases = Callable[[ServerUnderTest], Sequence[Sample]]
Check = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Rule:
    """`check` takes a `Harness`, and a sample if the rule is checked for each of `samples`.

    It raises AssertionError, or anything else, if the server breaks the rule.
    """

    check: Check
    samples: Cases | None = None
    when: Callable[[ServerUnderTest], bool] = lambda server: True

    @property
    def name(self) -> str:
        """A sentence, with underscores."""
        return self.check.__name__

    def cases(self, server: ServerUnderTest) -> list[tuple[Sample] | tuple[()]]:
        """The further arguments of `check`, once for each case there is of this server."""
        if not self.when(server):
            return []
        return [()] if self.samples is None else [(sample,) for sample in self.samples(server)]


def rule(check: Check) -> Rule:
    """A rule about a server as a whole."""
    return Rule(check)


def rule_where(when: Callable[[ServerUnderTest], Any]) -> Callable[[Check], Rule]:
    """A rule about a server as a whole, of servers that have something to check it with."""
    return lambda check: Rule(check, when=lambda server: bool(when(server)))


def rule_for_each(samples: Cases) -> Callable[[Check], Rule]:
    """A rule about each of these samples."""
    return lambda check: Rule(check, samples)

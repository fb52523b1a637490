"""The suite as a pytest class, one test for each rule and tool; and as a function that says which rules are broken."""

import importlib.util
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from .harness import Harness
from .rule import Rule
from .rules import RULES
from .server import Sample, ServerUnderTest
from .serving import running


@dataclass(frozen=True)
class Running:
    """A server that runs in a thread of its own, between the tests too."""

    harness: Harness
    portal: BlockingPortal

    def check(self, rule: Rule, *case: Sample) -> None:
        """Raise what the rule finds."""
        self.portal.call(rule.check, self.harness, *case)


@contextmanager
def started(server: ServerUnderTest, home: Path, database_url: str | None = None) -> Generator[Running]:
    """The server while the block lasts."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(server, home, database_url)) as harness,
    ):
        yield Running(harness, portal)


class Guarantees:
    """Inherit from it, say which `server`, and each of its guarantees is a test.

        class TestBilling(Guarantees):
            server = ServerUnderTest(SPEC, Settings, [Read("get_invoice", {"invoice_id": "in_1"}), …])

    Override the fixture `database_url` to have the server keep its data elsewhere than in a SQLite file.
    """

    server: ClassVar[ServerUnderTest]
    pytestmark: ClassVar[list[Any]] = []

    def __init_subclass__(cls, rules: Sequence[Rule] = RULES) -> None:
        for rule in rules:
            if cases := rule.cases(cls.server):
                setattr(cls, f"test_{rule.name}", _test(rule, cases))
        if importlib.util.find_spec("xdist") is not None:
            cls.pytestmark = [pytest.mark.xdist_group(cls.__qualname__)]  # one start of the server for all of them

    @pytest.fixture(scope="class")
    @classmethod
    def database_url(cls) -> str | None:
        """Where the server keeps its data, if not in a SQLite file in its home."""
        return None

    @pytest.fixture(scope="class")
    @classmethod
    def running(cls, tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Generator[Running]:
        with started(cls.server, tmp_path_factory.mktemp(cls.server.settings.server), database_url) as server:
            yield server


def broken_rules(server: ServerUnderTest, home: Path, rules: Sequence[Rule] = RULES) -> dict[str, str]:
    """What a server breaks: the trace of the first failure of each rule, by the rule's name."""
    broken: dict[str, str] = {}
    with started(server, home) as started_server:
        for rule in rules:
            for case in rule.cases(server):
                try:
                    started_server.check(rule, *case)
                except Exception as error:  # noqa: BLE001  whatever a weak server makes of a rule is its failure
                    broken.setdefault(rule.name, "".join(traceback.format_exception(error)))
    return broken


def _test(rule: Rule, cases: Sequence[tuple[Sample] | tuple[()]]) -> Any:
    if rule.samples is None:

        def once(self: object, running: Running) -> None:
            running.check(rule)

        once.__doc__ = rule.check.__doc__
        return once

    def each(self: object, running: Running, sample: Sample) -> None:
        running.check(rule, sample)

    each.__doc__ = rule.check.__doc__
    samples = [sample for case in cases for sample in case]
    return pytest.mark.parametrize("sample", samples, ids=[sample.tool for sample in samples])(each)

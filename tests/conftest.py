"""Fixtures that several members' tests share."""

import os
import signal
import uuid
from collections.abc import Generator
from pathlib import Path

import pytest
from support import authorities, postgres, programs
from support.proofs import FULL

# Whoever starts the tests in the background of a shell has them ignore it, and their children would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
authorities.read_once()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of one xdist_group run in one process: xdist 3.8 adds it to an id that pytest 9.2 does not read."""
    for item in items:
        grouped = vars(item).get("_nodeid", item.nodeid)
        if grouped != item.nodeid:
            item._id = type(item.id).parse(grouped)  # pyright: ignore[reportPrivateUsage]  # where pytest has it


@pytest.fixture(autouse=True)
def own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that runs a server's command in this process does not say for others how their servers were started."""
    monkeypatch.setattr("flotilla_kit.terminal.invocation._started", None)


@pytest.fixture(autouse=True)
def claude(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions of tests that are marked so have a double of the Claude CLI, unless proofs run in full."""
    marked = {mark.name for mark in request.node.iter_markers()}
    if not FULL and "cli_double" in marked and "real_cli" not in marked:
        double = str(programs.claude_double())
        monkeypatch.setattr("flotilla_orchestrator.sessions.session._binary", lambda: double)
        monkeypatch.setattr(programs, "claude", double)


@pytest.fixture
def forked_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that start a server by the name of its command, as the shipped fleet does, get one without its imports."""
    monkeypatch.setenv("PATH", f"{programs.on_path()}:{os.environ['PATH']}")


@pytest.fixture(scope="session")
def postgres_binaries() -> Path:
    """The folder of PostgreSQL's programs."""
    bin_folder = postgres.binaries()
    if bin_folder is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have PostgreSQL: .ci/run installs it")
        pytest.skip("no PostgreSQL found: install Debian's postgresql, or run on Python 3.12 or older (pgserver)")
    return bin_folder


@pytest.fixture(scope="session")
def postgres_cluster(postgres_binaries: Path) -> Generator[str]:
    """The address of a PostgreSQL cluster of this test process's own."""
    with postgres.cluster(postgres_binaries) as running:
        yield running.address


@pytest.fixture(scope="session")
def doomed_cluster(postgres_binaries: Path) -> Generator[postgres.Cluster]:
    """One that tests may kill, and start again."""
    with postgres.cluster(postgres_binaries) as running:
        yield running


@pytest.fixture
def doomed_url(doomed_cluster: postgres.Cluster) -> Generator[str]:
    """The address of an empty database in it."""
    doomed_cluster.kill()  # whatever the last test left
    doomed_cluster.start()
    with postgres.fresh_database(doomed_cluster.address, f"doomed_{uuid.uuid4().hex}") as address:
        yield address


@pytest.fixture
def postgres_url(postgres_cluster: str) -> Generator[str]:
    """The address of an empty PostgreSQL database."""
    with postgres.fresh_database(postgres_cluster, f"test_{uuid.uuid4().hex}") as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_url"))

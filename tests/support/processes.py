"""Real server processes for tests: on a free loopback port, with a clean environment, ended by their own pid."""

import json
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE, TimeoutExpired

from .programs import Program, start

BIN = Path(sys.executable).parent
NODE_MODULES = Path(__file__).parent.parent / "clients" / "node_modules"


def clean_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment with nothing inherited but PATH: no key, no login, no proxy, no settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "FLOTILLA_HOME": str(home), **(extra or {})}


@dataclass(frozen=True)
class Running:
    url: str
    process: Program


@contextmanager
def http_server(
    name: str,
    home: Path,
    *flags: str,
    environment: Mapping[str, str] | None = None,
    program: str | Sequence[str] | None = None,
    tokens: bool = False,
) -> Generator[Running]:
    """`flotilla-NAME --http 127.0.0.1:0 --auth none FLAGS`, ready to be called; ends when the block does.

    Args:
        program: stands in for `flotilla-NAME` (see `programs.start`), with its first arguments if it has any.
        tokens: without `--auth none`; `flags` say whose tokens it takes.
    """
    log = home / f"{name}.log"
    home.mkdir(parents=True, exist_ok=True)
    listening = ("--http", "127.0.0.1:0", *(() if tokens else ("--auth", "none")), "--exit-with-stdin")
    with log.open("w") as stderr:
        process = start(
            *([program] if isinstance(program, str) else program or [f"flotilla-{name}"]),
            *listening,
            *flags,
            environ=clean_environment(home, environment),
            folder=home,
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=stderr,
        )
    assert process.stdin is not None
    try:
        yield Running(_listening(process, log), process)
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except TimeoutExpired:
            process.kill()
            process.wait()


def _listening(process: Program, log: Path) -> str:
    """The address in the server's log line `listening`; its log as the error if it ends first."""
    with log.open() as lines:
        while process.poll() is None:
            for line in lines:
                if line.endswith("\n") and '"listening"' in line:
                    return str(json.loads(line)["url"])
            try:
                process.wait(0.02)
            except TimeoutExpired:
                continue
    raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text()}")

"""Runs the long proofs in full: says how long it will take, then which took how long.

python -m scripts.prove list            what there is
python -m scripts.prove [NAME] [...]    all of them, or one; further arguments are pytest's
python -m scripts.prove --save [...]    and keep the minutes that were measured as what to expect next time
"""

import ast
import json
import os
import sys
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent / "tests"
MINUTES = TESTS / "proofs" / "minutes.json"
SESSIONS = "real_cli"  # not one file: every test marked `cli_double`, with the CLI itself


class Clock:
    """A pytest plugin that adds up the seconds of each proof."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = name_of(Path(report.nodeid.partition("::")[0]))
        self.seconds[name if name in self._names else SESSIONS] += report.duration


def name_of(file: Path) -> str:
    name = file.stem.removeprefix("test_")
    return name if file.parent.name == "proofs" else f"{file.parent.name}_{name}"


def proofs() -> dict[str, Path]:
    """The file of each proof, by its name; some stand beside the tests of what they are about."""
    files = sorted(TESTS.glob("*/test_*.py"), key=lambda file: (file.parent.name != "proofs", file))
    found = {name_of(file): file for file in files if "mark.prove" in file.read_text()}
    return {**found, SESSIONS: TESTS}


def main(arguments: list[str]) -> int:
    expected: dict[str, float] = json.loads(MINUTES.read_text())
    files = proofs()
    save = "--save" in arguments
    words = [word for word in arguments if word and word != "--save"]
    if words[:1] == ["list"]:
        for name, file in files.items():
            print(f"{name:20} {_about(expected.get(name)):>8}  {_summary(file)}")
        return 0
    if words and not words[0].startswith("-") and words[0] not in files:
        print(f"There is no proof `{words[0]}`. There are: {', '.join(files)}.", file=sys.stderr)
        return 2
    named = [words.pop(0)] if words and words[0] in files else list(files)
    known = [expected[name] for name in named if name in expected]
    unknown = [name for name in named if name not in expected]
    also = f"; never measured: {', '.join(unknown)}" if unknown else ""
    print(f"{len(named)} proofs, about {_about(sum(known))} on two cores{also}", flush=True)
    os.environ["FLOTILLA_PROVE"] = "1"
    clock = Clock(files)
    code = 0
    long = [str(files[name]) for name in named if name != SESSIONS]
    sessions = [str(files[name]) for name in named if name == SESSIONS]
    for where, mark in ((long, "prove"), (sessions, "cli_double and not prove")):
        if where:
            code = max(code, pytest.main(["-rs", "-m", mark, *where, *words], plugins=[clock]))
    for name, seconds in clock.seconds.items():
        print(f"{name:20} {_about(seconds / 60):>8}  (expected {_about(expected.get(name))})")
    if save and code == 0:
        measured = {name: round(seconds / 60, 1) for name, seconds in clock.seconds.items()}
        MINUTES.write_text(json.dumps(expected | measured, indent=2, sort_keys=True) + "\n")
    return int(code)


def _about(minutes: float | None) -> str:
    return "?" if minutes is None else f"{minutes:.0f} min" if minutes >= 10 else f"{minutes:.1f} min"


def _summary(file: Path) -> str:
    """The first sentence of its docstring."""
    if file == TESTS:
        return "Every test that `make test` runs with a double of the Claude CLI, with the CLI itself"
    said = " ".join((ast.get_docstring(ast.parse(file.read_text())) or "").split())
    return said.partition(". ")[0].rstrip(".")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

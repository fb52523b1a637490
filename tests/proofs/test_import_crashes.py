"""10,000 memories are imported by processes that are killed at drawn moments: at the end all are there, each once."""

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from subprocess import DEVNULL

import pytest
from support import programs
from support.memory_files import mem0
from support.processes import clean_environment
from support.proofs import FULL, draw

MEMORIES, KILLS = (10_000, 12) if FULL else (2_000, 1)


def command(home: Path, *arguments: str | Path) -> str:
    words = ("flotilla-memory", *arguments, "--json")
    done = programs.run(*words, environ=clean_environment(home), folder=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def there(home: Path) -> int:
    """How many memories the store has."""
    try:
        with closing(sqlite3.connect(f"file:{home / 'memory.db'}?mode=ro", uri=True)) as store:
            return store.execute("SELECT count(*) FROM memories").fetchone()[0]
    except sqlite3.OperationalError:  # it is not made yet
        return 0


def kill_once_there_are(number: int, home: Path, file: Path, after_s: float) -> bool:
    """Kill an import some time after it has so many memories in the store; whether it was still at work."""
    words = ("flotilla-memory", "import", file)
    importing = programs.start(*words, environ=clean_environment(home), folder=home, stdout=DEVNULL, stderr=DEVNULL)
    while there(home) < number and importing.poll() is None:
        time.sleep(0.01)
    time.sleep(after_s)
    importing.kill()
    return importing.wait() == -signal.SIGKILL


@pytest.mark.prove
def test_an_import_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    file, random = mem0(tmp_path / "m.json", MEMORIES), draw("import crashes")
    home = tmp_path / "home"
    home.mkdir()
    killed = 0  # in the first half: a fast machine writes thousands more until it is
    for number in sorted(random.randrange(1, MEMORIES // 2) for _ in range(KILLS)):
        # An import that begins later than it should be killed has to look through what is there first.
        killed += kill_once_there_are(number, home, file, random.uniform(0, 0.2))
        assert there(home) >= number
    assert killed and there(home) < MEMORIES
    counts = json.loads(command(home, "import", file))["counts"]
    assert counts["added"] > 0 and counts["known"] > 0 and counts["added"] + counts["known"] == MEMORIES
    command(home, "export", tmp_path / "out", "--kind", "cogx")
    lines = (tmp_path / "out" / "memories.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["content"] for line in lines) == sorted(f"Memory {n}" for n in range(MEMORIES))

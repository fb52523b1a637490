"""10,000 memories are imported by processes that are killed at drawn moments: at the end all are there, each once."""

import json
import subprocess
import time
from pathlib import Path

from support.memory_files import mem0
from support.processes import BIN, clean_environment
from support.proofs import FULL, draw

MEMORIES, KILLS = (10_000, 12) if FULL else (2_000, 2)


def command(home: Path, *arguments: str | Path) -> str:
    home.mkdir(exist_ok=True)
    program = [BIN / "flotilla-memory", *arguments, "--json"]
    return subprocess.run(program, env=clean_environment(home), check=True, capture_output=True, text=True).stdout


def test_an_import_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    file, random = mem0(tmp_path / "m.json", MEMORIES), draw("import crashes")
    begun = time.monotonic()
    command(tmp_path / "calm", "import", file)
    took_s = time.monotonic() - begun
    home, killed = tmp_path / "home", 0
    home.mkdir()
    for _ in range(KILLS):
        with subprocess.Popen([BIN / "flotilla-memory", "import", file], env=clean_environment(home)) as importing:
            # Some while it starts and checks the file, most while it writes.
            time.sleep(random.uniform(0.2, 0.9) * took_s)
            importing.kill()
        killed += importing.returncode == -9
    assert killed
    counts = json.loads(command(home, "import", file))["counts"]
    assert counts["added"] + counts["known"] == MEMORIES
    command(home, "export", tmp_path / "out", "--kind", "cogx")
    lines = (tmp_path / "out" / "memories.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["content"] for line in lines) == sorted(f"Memory {n}" for n in range(MEMORIES))

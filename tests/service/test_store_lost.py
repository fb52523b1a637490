"""A database that fails under a run ends the process and not the run, which the next process resumes."""

import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from support.runs import LOOK
from support.service import Served, until

pytestmark = pytest.mark.cli_double

SLOW = {"playbook": "look", "task": "Look.", "inputs": {"amount": 1}, "model": "rehearsal"}


def cut_off(url: str) -> None:
    """End all connections to the database but this one, as its restart does."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(others, (connection.info.backend_pid,))


def test_a_run_at_work_is_resumed_by_the_next_process(tmp_path: Path, postgres_url: str) -> None:
    case = Served(tmp_path, {"DATABASE_URL": postgres_url})
    turns: list[dict[str, Any]] = [LOOK, {"result": {"answer": "looked"}, "delay_s": 2}]
    script = {"name": "look", "agents": {"single": [{"turns": turns}]}}
    (case.configs / "rehearsals" / "look.yaml").write_text(yaml.safe_dump(script))
    maya, ends = case.token("maya", "run", "read"), time.monotonic() + 120
    process = case.serve()
    with case.client(maya) as client:
        run_id = client.post("/v1/runs", json=SLOW).json()["run_id"]
        while not client.get(f"/v1/runs/{run_id}").json()["totals"]["agents"]:  # its server has started
            assert time.monotonic() < ends
    while process.poll() is None:  # again and again, whatever it is at
        cut_off(postgres_url)
        time.sleep(0.1)
        assert time.monotonic() < ends, "it goes on without its lease"
    assert process.returncode != 0
    process.communicate()
    case.serve()
    with case.client(maya) as client:
        until(client, run_id, "ok", "failed", "cancelled")
        record = client.get(f"/v1/runs/{run_id}").json()
    assert (record["status"], record["output"]) == ("ok", {"answer": "looked"}), record["error"]
    assert case.stop() == 0

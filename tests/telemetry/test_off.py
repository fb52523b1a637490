"""What is not asked for is not loaded; what is asked for and not installed is said."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.config_folder import Folder
from support.processes import clean_environment

HEAVY = ("prometheus_client", "opentelemetry.sdk", "opentelemetry.exporter.otlp", "google.protobuf")
SERVE = "from flotilla_kit.cli import main; code = main('flotilla_billing', given)"
LOADED = "import json, sys; given = json.loads(sys.argv[1]); {}; print(json.dumps([*sys.modules]), file=sys.stderr)"
HIDDEN = "import json, sys; sys.modules['{}'] = None; given = json.loads(sys.argv[1]); {}; sys.exit(code)"


def run(code: str, given: Sequence[str], home: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, json.dumps([*given])],
        env={**clean_environment(home), **environment, "PATH": os.environ["PATH"]},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_server_loads_nothing_of_it(tmp_path: Path) -> None:
    ended = run(LOADED.format(SERVE), [], tmp_path)
    loaded = json.loads(ended.stderr.splitlines()[-1])
    assert "flotilla_kit.guard.observation" in loaded, "the server was built"
    assert [name for name in loaded if name.startswith(HEAVY)] == []


def test_the_orchestrator_loads_nothing_of_it(tmp_path: Path) -> None:
    modules = ["sessions.agent", "runs.queue_worker", "service.app", "cli.serve", "cli.work", "cli.telemetry"]
    code = "; ".join(f"import flotilla_orchestrator.{module}" for module in modules)
    ended = run(LOADED.format(code), [], tmp_path)
    loaded = json.loads(ended.stderr.splitlines()[-1])
    assert "flotilla_orchestrator.cli.telemetry" in loaded
    assert [name for name in loaded if name.startswith(HEAVY)] == []


@pytest.mark.parametrize(
    ("hidden", "flags", "variables"),
    [
        ("prometheus_client", ["--metrics-http", "127.0.0.1:0"], {}),
        ("opentelemetry.sdk", [], {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}),
    ],
)
def test_a_server_without_the_extra_says_what_to_install(
    tmp_path: Path, hidden: str, flags: list[str], variables: dict[str, str]
) -> None:
    ended = run(HIDDEN.format(hidden, SERVE), flags, tmp_path, **variables)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "flotilla-billing[telemetry]" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_orchestrator_without_the_extra_says_what_to_install(tmp_path: Path) -> None:
    configs = Folder(tmp_path / "configs")
    configs.load()
    code = HIDDEN.format("prometheus_client", "from flotilla_orchestrator.__main__ import main; code = main(given)")
    given = ["work", "--metrics", "127.0.0.1:0", "--configs", str(configs.path), "--home", str(tmp_path), "--json"]
    ended = run(code, given, tmp_path)
    assert ended.returncode == 2
    error = json.loads(ended.stdout)["error"]
    assert error["code"] == "invalid_arguments" and "[telemetry]" in error["message"]


def test_traces_that_are_turned_off_are_not_sent(tmp_path: Path) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}
    ended = run(LOADED.format(SERVE), [], tmp_path, **variables)
    assert [name for name in json.loads(ended.stderr.splitlines()[-1]) if name.startswith(HEAVY)] == []

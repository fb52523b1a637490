"""`configs/observability`: what Prometheus, Grafana and the collector are given."""

import json
import os
import shutil
import subprocess

import pytest
import yaml
from support.promql import FOLDER, metric_names, panels, queries, rules


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have promtool: .ci/run installs Debian's prometheus")
        pytest.skip("no promtool found: install Debian's prometheus")
    return subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules.test.yml")],
)
def test_promtool_finds_nothing_wrong(words: tuple[str, ...]) -> None:
    checked = promtool(*words)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_is_tested_and_says_what_to_do() -> None:
    tests = (FOLDER / "rules.test.yml").read_text()
    for rule in rules():
        assert rule["alert"] in tests
        assert rule["annotations"].keys() == {"summary", "action"}


def test_the_dashboard_asks_whichever_prometheus_is_chosen() -> None:
    text = (FOLDER / "dashboard.json").read_text()
    (chosen,) = json.loads(text)["templating"]["list"]
    assert (chosen["name"], chosen["type"], chosen["query"]) == ("datasource", "datasource", "prometheus")
    sources = [panel["datasource"] for panel in panels()]
    sources += [target["datasource"] for panel in panels() for target in panel["targets"]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_names_of_metrics_are_found_in_queries() -> None:
    query = 'sum by (a) (rate(x_total{b=~"c|d"}[5m])) / max(y offset 1h) > 2 and on (a) z == 1'
    assert metric_names(query) == {"x_total", "y", "z"}
    assert all(metric_names(query) for _, query in queries())


def test_the_collectors_pipelines_name_what_it_has() -> None:
    config = yaml.safe_load((FOLDER / "collector.yaml").read_text())
    for pipeline in config["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            assert {*names} <= config[kind].keys()

"""`flotilla-k8s sandbox` as a process of its own, with its sample data."""

import stat
from pathlib import Path
from typing import Any

from lightkube import Client, KubeConfig
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Event, Pod
from support.k8s_sandbox import k8s_sandbox_process

from .manifests import each_of


def test_it_serves_the_sample_teams_and_as_many_pods_as_asked(tmp_path: Path) -> None:
    with k8s_sandbox_process(tmp_path, "--pods", "250") as running:
        files = sorted(tmp_path.glob("kubeconfig*"))
        assert [file.suffix for file in files] == ["", ".team-a-editor", ".viewer"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        with Client(KubeConfig.from_file(running.kubeconfig)) as client:
            assert_sample(client)
    assert running.process.returncode == 0


def assert_sample(client: Any) -> None:
    load = [each for each in client.list(Pod, namespace="*") if each.metadata and each.metadata.namespace == "bench-0"]
    assert len(load) == 250
    stalled = {
        each.metadata.name: [one.reason for one in each_of(each.status.conditions) if one.status == "False"]
        for each in client.list(Deployment, namespace="*")
        if each.metadata and each.status
    }
    assert {name: reasons for name, reasons in stalled.items() if reasons} == {
        "checkout": ["ProgressDeadlineExceeded"],
        "reports": ["MinimumReplicasUnavailable", "ProgressDeadlineExceeded"],
    }
    reasons = {each.reason for each in client.list(Event, namespace="*", fields={"type": "Warning"})}
    assert {"FailedCreate", "Failed"} <= reasons

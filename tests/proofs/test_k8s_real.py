"""What the Kubernetes server does on any cluster, on a real control plane of 1.20 that is started for it.

It is built where that can be, the first time; that takes 10 minutes more.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.k8s_any import VARIABLE
from support.k8s_control_plane import control_plane
from support.k8s_control_plane_build import NoControlPlane, build, missing
from support.proofs import FULL

TESTS = Path(__file__).parent.parent / "k8s" / "any_cluster"


@pytest.mark.prove
@pytest.mark.skipif(not FULL, reason="a control plane takes minutes; `make prove` starts one")
def test_every_test_of_any_cluster_passes_on_a_real_control_plane(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if lacking := missing():
        with capsys.disabled():
            print(f"\nBuilding {', '.join(lacking)}: about 10 minutes on two idle cores, once.", flush=True)
        try:
            build()
        except NoControlPlane as nothing:
            pytest.skip(f"there is no real control plane to start: {nothing}")
    with control_plane(tmp_path) as kubeconfig:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", TESTS]
        environment = os.environ | {VARIABLE: str(kubeconfig)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    print(done.stdout)
    assert done.returncode == 0 and "skipped" not in done.stdout, f"{done.stdout}{done.stderr}"

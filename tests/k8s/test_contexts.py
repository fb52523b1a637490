"""Contexts and credentials: the right cluster every time, and nothing of a credential in any answer."""

import base64
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from flotilla_k8s.cluster.kubeconfig import load_contexts
from flotilla_k8s.settings import Settings
from support.k8s_client import k8s_client
from support.k8s_objects import OURS
from support.k8s_sandbox import Sandbox

Config = dict[str, Any]


def read(cluster: Sandbox) -> Config:
    return yaml.safe_load(cluster.kubeconfig.read_text())


def written(path: Path, config: Config) -> Path:
    path.write_text(yaml.safe_dump(config))
    return path


def token_of(config: Config) -> str:
    return str(config["users"][0]["user"]["token"])


@pytest.fixture
def two(cluster: Sandbox, tmp_path: Path) -> Path:
    """A kubeconfig with the cluster under two names."""
    config = read(cluster)
    config["contexts"].append({**config["contexts"][0], "name": "other"})
    return written(tmp_path / "two", config)


async def test_with_several_contexts_a_call_names_one(two: Path, tmp_path: Path) -> None:
    async with k8s_client(tmp_path, two) as k8s:
        error = await k8s.call("list_namespaces")
        assert error["code"] == "context_required" and error["details"]["contexts"] == ["other", "sandbox"]
        assert await k8s.code("list_namespaces", context="third") == "context_required"
        assert (await k8s.call("list_namespaces", context="other"))["items"]
        assert [each["name"] for each in (await k8s.call("list_contexts"))["items"]] == ["sandbox", "other"]


async def test_a_fixed_context_is_the_only_one(two: Path, tmp_path: Path) -> None:
    async with k8s_client(tmp_path, two, context="other") as k8s:
        assert (await k8s.call("list_namespaces"))["items"]
        assert await k8s.code("list_namespaces", context="sandbox") == "context_required"
        assert [each["name"] for each in (await k8s.call("list_contexts"))["items"]] == ["other"]


async def test_kubeconfigs_are_merged_and_the_first_wins(
    cluster: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read(cluster)
    users = {"users": config["users"]}
    rest = {**config, "users": [{"name": config["users"][0]["name"], "user": {"token": "wrong"}}]}
    paths = [written(tmp_path / "first", users), written(tmp_path / "second", rest), tmp_path / "absent"]
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, paths)))
    contexts = load_contexts(Settings.load({"home": tmp_path}))
    user = contexts["sandbox"].config.user
    assert user is not None and user.token == token_of(config)


@pytest.mark.parametrize("said", ["", "a: [", "[]", "{}", "clusters: 5", "token: my-secret-token-value: x"])
async def test_a_kubeconfig_that_cannot_be_used_is_said_so_and_not_quoted(tmp_path: Path, said: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(said)
    async with k8s_client(tmp_path, path) as k8s:
        error = await k8s.call("list_namespaces")
    assert error["code"] == "no_cluster" and "my-secret" not in str(error)


async def test_credentials_that_are_refused_are_said_so(cluster: Sandbox, tmp_path: Path) -> None:
    config = read(cluster)
    config["users"][0]["user"]["token"] = "not-a-token-of-this-cluster"
    async with k8s_client(tmp_path, written(tmp_path / "kubeconfig", config)) as k8s:
        error = await k8s.call("list_namespaces")
    assert error["code"] == "unauthorized" and "not-a-token" not in str(error)


async def test_a_cluster_that_is_down_is_unavailable_and_worth_a_retry(cluster: Sandbox, tmp_path: Path) -> None:
    config = read(cluster)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    async with k8s_client(tmp_path, written(tmp_path / "kubeconfig", config)) as k8s:
        error = await k8s.call("list_namespaces")
    assert error["code"] == "cluster_unavailable" and error["retryable"]


def with_plugin(cluster: Sandbox, tmp_path: Path, script: str, version: str = "v1", **more: Any) -> Path:
    """A kubeconfig whose credentials a Python program prints."""
    program = tmp_path / "plugin"
    program.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    config = read(cluster)
    api = f"client.authentication.k8s.io/{version}"
    config["users"][0]["user"] = {"exec": {"apiVersion": api, "command": str(program), **more}}
    return written(tmp_path / "kubeconfig", config)


def printing(token: str, **more: Any) -> str:
    said = {"kind": "ExecCredential", "status": {"token": token, **more}}
    return f"print(json.dumps({said!r}))"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_plugin_gives_the_credentials(cluster: Sandbox, tmp_path: Path, version: str) -> None:
    told = tmp_path / "told"
    script = f"open({str(told)!r}, 'a').write(os.environ['KUBERNETES_EXEC_INFO'] + os.environ['FROM'] + '\\n')\n"
    script += "assert sys.stdin.read() == ''\n" + printing(token_of(read(cluster)))
    environment = [{"name": "FROM", "value": "kubeconfig"}]
    async with k8s_client(tmp_path, with_plugin(cluster, tmp_path, script, version, env=environment)) as k8s:
        for _ in range(3):
            assert (await k8s.call("list_resources", kind="ConfigMap", namespace=OURS))["columns"]
    lines = told.read_text().splitlines()
    assert len(lines) == 1, "it was asked more than once"
    info = json.loads(lines[0].removesuffix("kubeconfig"))
    assert info["apiVersion"].endswith(version) and info["spec"]["interactive"] is False


async def test_credentials_that_expire_are_fetched_anew(cluster: Sandbox, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"open({str(count)!r}, 'a').write('x')\n"
    script += printing(token_of(read(cluster)), expirationTimestamp="2026-01-01T00:00:00Z")
    async with k8s_client(tmp_path, with_plugin(cluster, tmp_path, script)) as k8s:
        await k8s.call("list_namespaces")
        await k8s.call("list_namespaces")
    assert len(count.read_text()) >= 2


@pytest.mark.parametrize(
    ("script", "version", "why"),
    [
        ("print('my-secret-output'); sys.exit(3)", "v1", "exit code 3"),
        ("print('my-secret-output', file=sys.stderr); sys.exit(1)", "v1", "exit code 1"),
        ("print('my-secret-output')", "v1", "ExecCredential"),
        ("print(json.dumps({'status': {'clientKeyData': 'my-secret-output'}}))", "v1", "no token"),
        ("time.sleep(60)", "v1", "more than 1 s"),
        ("pass", "v2", "not supported"),
    ],
)
async def test_a_plugin_that_fails_is_said_so_and_not_quoted(
    cluster: Sandbox, tmp_path: Path, script: str, version: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = with_plugin(cluster, tmp_path, script, version)
    async with k8s_client(tmp_path, path, credential_timeout_s=1) as k8s:
        error = await k8s.call("list_namespaces")
    assert error["code"] == "credentials_unavailable" and why in error["message"]
    assert "my-secret" not in str(error) and "my-secret" not in caplog.text


async def test_a_pods_own_credentials_are_used_in_a_cluster(
    cluster: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read(cluster)
    certificate = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
    (tmp_path / "ca.crt").write_bytes(certificate)
    (tmp_path / "token").write_text(token_of(config))
    (tmp_path / "namespace").write_text(OURS)
    host, _, port = cluster.url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr("flotilla_k8s.cluster.kubeconfig.SERVICE_ACCOUNT", str(tmp_path))
    monkeypatch.setattr("flotilla_k8s.cluster.kubeconfig.DEFAULT_FILE", tmp_path / "absent")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    async with k8s_client(tmp_path, None) as k8s:
        assert (await k8s.call("list_contexts"))["items"][0]["name"] == "in-cluster"
        assert OURS in [each["name"] for each in (await k8s.call("list_namespaces"))["items"]]

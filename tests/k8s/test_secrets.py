"""Secret material, wherever it can hide in a cluster: not a byte of it in an answer, an error, a log or the audit."""

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.k8s_client import k8s_client
from support.k8s_objects import OURS, config_map, deployment, event, secret
from support.k8s_sandbox import Sandbox

CANARY = "Zq7-canary-{}-x9K2"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjYW5hcnktand0In0.c2lnbmF0dXJlLWNhbmFyeQ"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nTUlJQ2FuYXJ5UEVNa2V5\n-----END RSA PRIVATE KEY-----"


def hidden(number: int) -> str:
    return CANARY.format(number)


def corpus() -> list[dict[str, Any]]:
    """Objects with a secret each, in every place where clusters have some."""
    plain = secret("plain", password=hidden(1), **{"config.json": json.dumps({"auth": hidden(2)})})
    plain["metadata"]["annotations"] = {"owner/api-token": hidden(3), "note": f"login with password={hidden(4)}"}
    kubeconfig = yaml.safe_dump({"users": [{"name": "a", "user": {"token": hidden(5), "client-key-data": hidden(6)}}]})
    url = f"postgres://app:{hidden(7)}@db.example/app"
    data = {
        "kubeconfig": kubeconfig,
        "app.properties": f"db.password={hidden(8)}\ncolour=green\n",
        "SIGNING_KEY": hidden(9),
        "key.pem": PEM,
        "url": url,
        "header": f"Authorization: Bearer {hidden(10)}",
        "session": JWT,
        "manifest.yaml": yaml.safe_dump(secret("nested", value=hidden(11))),
        "aws": "AKIAIOSFODNN7EXAMPLE",
        "settings.json": json.dumps({"clientSecret": hidden(12), "nested": {"api_key": hidden(13)}}),
    }
    work = deployment(
        "work",
        env=[
            {"name": "DB_PASSWORD", "value": hidden(14)},
            {"name": "DATABASE_URL", "value": url},
            {"name": "COLOUR", "value": "green"},
            {"name": "OAUTH_TOKEN", "value": hidden(15)},
        ],
        args=["--db-password", hidden(16), f"--api-key={hidden(17)}", "--colour=green"],
        command=["sh", "-c", f"curl -H 'Authorization: Basic {base64.b64encode(hidden(18).encode()).decode()}' x"],
    )
    work["spec"]["template"]["metadata"]["annotations"] = {"vault-token": hidden(19)}
    return [
        plain,
        config_map("settings", data=data),
        config_map("named-in-policy", data={"innocent": hidden(20)}),
        work,
        event(1, about="Pod/work", message=f"failed with token: {hidden(21)} for {url}"),
    ]


def seeded() -> set[str]:
    """Every value of it, and what it looks like in base64."""
    values = {hidden(number) for number in range(1, 30)} | {JWT, "TUlJQ2FuYXJ5UEVNa2V5", "AKIAIOSFODNN7EXAMPLE"}
    return values | {base64.b64encode(value.encode()).decode() for value in values}


@pytest.fixture(scope="module")
def seeded_cluster(cluster: Sandbox) -> Sandbox:
    # Client-side apply leaves all of it in the last-applied annotation as well.
    cluster.kubectl("apply", "-f", "-", stdin=corpus())
    return cluster


def left_in(folder: Path) -> list[str]:
    """What is in its files: the audit, too."""
    return [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]


CALLS: list[tuple[str, dict[str, Any]]] = [
    *(
        ("get_resource", {"kind": kind, "name": name, **more})
        for kind, name in (
            ("Secret", "plain"),
            ("ConfigMap", "settings"),
            ("ConfigMap", "named-in-policy"),
            ("Deployment", "work"),
            ("Event", "work.0001"),
        )
        for more in ({}, {"fields": ["*"]}, {"fields": ["data", "stringData", "metadata", "spec", "message"]})
    ),
    *(("list_resources", {"kind": kind}) for kind in ("Secret", "ConfigMap", "Deployment", "Event")),
    ("list_events", {}),
    ("get_rollout", {"name": "work"}),
    ("get_resource_usage", {}),
    ("get_resource", {"kind": "Secret", "name": "plain", "fields": ["data.password"]}),
    ("get_resource", {"kind": "Secret", "name": "absent"}),
]


async def test_no_byte_of_it_is_in_any_answer_log_or_record(
    seeded_cluster: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    token = yaml.safe_load(seeded_cluster.kubeconfig.read_text())["users"][0]["user"]["token"]
    settings = {"secret_config_maps": f"{OURS}/named-*"}
    async with k8s_client(tmp_path, seeded_cluster.kubeconfig, **settings) as k8s:
        for tool, arguments in CALLS:
            said = await k8s.text(tool, **{"namespace": OURS, **arguments})
            assert "suggestion" not in said or "absent" in str(arguments), said
            told.append(f"{tool} {arguments} {said}")
        told.append(await k8s.text("list_contexts"))
    told += [*left_in(tmp_path), caplog.text, *capfd.readouterr()]
    for value in {*seeded(), token}:
        assert not [text[:200] for text in told if value in text], value
    assert any("green" in text for text in told), "what is no secret is shown"


async def test_the_keys_of_a_secret_are_shown_without_values(seeded_cluster: Sandbox, tmp_path: Path) -> None:
    async with k8s_client(tmp_path, seeded_cluster.kubeconfig) as k8s:
        found = await k8s.call("get_resource", kind="Secret", name="plain", namespace=OURS)
    assert found["data"] == {"password": "[redacted]", "config.json": "[redacted]"}


async def test_what_only_looks_a_little_like_a_secret_is_shown(k8s: Any, cluster: Sandbox) -> None:
    said = {"colour": "green", "text": "The token bucket refills; see https://docs.example/secrets for more."}
    cluster.kubectl("apply", "-f", "-", stdin=config_map("harmless", data=said))
    found = await k8s.call("get_resource", kind="ConfigMap", name="harmless", namespace=OURS)
    assert found["data"] == said

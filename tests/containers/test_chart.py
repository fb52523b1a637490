"""The Helm chart: what a real Helm renders, what it refuses, and what an API server takes of it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from flotilla_orchestrator.config import files
from support import helm
from support.k8s_control_plane import control_plane
from support.k8s_control_plane_build import missing
from support.k8s_sandbox import k8s_sandbox

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "configs"
CHART = ROOT / "deploy" / "helm" / "flotilla"
SERVERS = ("billing", "crm", "k8s", "memory")
IN_1_20 = {"policy/v1": "policy/v1beta1", "autoscaling/v2": "autoscaling/v2beta2"}
OIDC = {"issuer": "https://id.example", "jwksUrl": "https://id.example/keys", "audience": "flotilla"}
MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
SETS: dict[str, dict[str, Any]] = {
    "default": {},
    "one_server": {
        "servers": {name: {"enabled": False} for name in ("crm", "k8s", "memory")},
        "metrics": {"enabled": False},
        "networkPolicy": {"metricsFrom": [MONITORING]},
    },
    "issuer": {
        "orchestrator": {"tokensSecret": "", "oidc": OIDC, "modelSecret": "anthropic"},
        "servers": {
            "billing": {
                "approvers": {
                    "jwksUrl": "https://id.example/keys",
                    "issuer": "https://id.example",
                    "subjects": ["anna"],
                },
                "settings": {"refund_approval_above_minor": 1000, "token_algorithms": "ES256", "read_only": True},
            }
        },
    },
    "tight": {
        "networkPolicy": {
            "databaseTo": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
            "modelTo": [{"ipBlock": {"cidr": "10.2.0.0/16"}}],
            "metricsFrom": [MONITORING],
        },
        "images": {"registry": "registry.example/flotilla", "tag": "1", "pullSecrets": ["registry"]},
        "orchestrator": {
            "configFolders": {"playbooks": "mine"},
            "nodeSelector": {"disk": "ssd"},
            "env": {"HTTPS_PROXY": "http://proxy:3128"},
        },
        "servers": {
            "crm": {"autoscaling": {"enabled": False}},
            "memory": {"knowledge": "handbook"},
            "k8s": {"rbac": {"rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]}]}},
        },
    },
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown value": ({"orchestrater": {}}, "orchestrater"),
    "unknown setting of a server": ({"servers": {"billing": {"replica": 1}}}, "replica"),
    "no replicas": ({"orchestrator": {"replicas": 0}}, "replicas"),
    "neither tokens nor an issuer": ({"orchestrator": {"tokensSecret": ""}}, "tokensSecret"),
    "an issuer of approvers without subjects": (
        {"servers": {"crm": {"approvers": {"jwksUrl": "https://id.example/keys", "issuer": "https://id.example"}}}},
        "subjects",
    ),
    "keys over plain HTTP": ({"servers": {"crm": {"approvers": {"jwksUrl": "http://id.example/keys"}}}}, "jwksUrl"),
    "a folder among settings": ({"servers": {"crm": {"settings": {"home": "/elsewhere"}}}}, "home"),
    "an address among variables": ({"orchestrator": {"env": {"DATABASE_URL": "postgresql://c/d"}}}, "DATABASE_URL"),
    "metrics at another place": ({"servers": {"crm": {"settings": {"metrics_http": "0.0.0.0:1"}}}}, "metrics_http"),
    "a scraper that is nobody": ({"networkPolicy": {"metricsFrom": [{}]}}, "metricsFrom"),
    "no database": ({"servers": {"billing": {"database": {"secret": ""}}}}, "secret"),
    "a rule that loosens": ({"orchestrator": {"fleet": {"rules": [{"tools": ["*"], "effect": "allow"}]}}}, "effect"),
}  # fmt: skip


def run(command: str, values: Mapping[str, Any], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(dict(values)))
    called = [helm.program(), command, *words, str(CHART), "--values", str(file), "--namespace", "fleet"]
    return subprocess.run(called, capture_output=True, text=True)


@pytest.fixture(scope="module", params=SETS)
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The objects of one set of values."""
    done = run("template", SETS[request.param], tmp_path_factory.mktemp("values"), "demo")
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(objects: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] in kinds]


def component(each: dict[str, Any]) -> str:
    return each["metadata"]["labels"]["app.kubernetes.io/component"]


@pytest.mark.parametrize("name", SETS)
def test_it_is_linted(name: str, tmp_path: Path) -> None:
    done = run("lint", SETS[name], tmp_path, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", REFUSED)
def test_bad_values_are_refused_by_name(case: str, tmp_path: Path) -> None:
    values, named = REFUSED[case]
    done = run("template", values, tmp_path, "demo")
    assert done.returncode != 0
    assert named in done.stderr, done.stderr


def test_pods_meet_the_restricted_standard(rendered: list[dict[str, Any]]) -> None:
    for each in of_kind(rendered, "Deployment", "StatefulSet"):
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is (component(each) == "k8s")
        assert all(set(volume) - {"name"} <= {"emptyDir", "configMap", "secret"} for volume in pod["volumes"])
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"] and container["resources"]["limits"]


def test_servers_are_given_no_private_key(rendered: list[dict[str, Any]]) -> None:
    for each in of_kind(rendered, "Deployment"):
        assert not [volume for volume in each["spec"]["template"]["spec"]["volumes"] if "secret" in volume]
        environment = each["spec"]["template"]["spec"]["containers"][0]["env"]
        secrets = [variable["name"] for variable in environment if "valueFrom" in variable]
        assert secrets == ["DATABASE_URL"]


def test_each_process_has_a_database_secret_of_its_own(rendered: list[dict[str, Any]]) -> None:
    workloads = of_kind(rendered, "Deployment", "StatefulSet")
    containers = [each["spec"]["template"]["spec"]["containers"][0] for each in workloads]
    named = [
        variable["valueFrom"]["secretKeyRef"]["name"]
        for container in containers
        for variable in container["env"]
        if variable["name"] == "DATABASE_URL"
    ]
    assert len(set(named)) == len(workloads)


def test_an_executor_is_called_as_its_pod(rendered: list[dict[str, Any]]) -> None:
    (orchestrator,) = of_kind(rendered, "StatefulSet")
    environment = {each["name"]: each for each in orchestrator["spec"]["template"]["spec"]["containers"][0]["env"]}
    name = environment["FLOTILLA_EXECUTOR_ID"]["valueFrom"]
    assert name == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_every_pod_is_selected_by_a_service_a_budget_and_a_policy(rendered: list[dict[str, Any]]) -> None:
    workloads = {component(each) for each in of_kind(rendered, "Deployment", "StatefulSet")}
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount"):
        assert {component(each) for each in of_kind(rendered, kind)} == workloads, kind


def let_in(policy: dict[str, Any], port: str) -> list[dict[str, Any]]:
    """Who reaches this port of what the policy is for; a rule without peers would let everybody in."""
    rules = [rule for rule in policy["spec"]["ingress"] if port in [each["port"] for each in rule["ports"]]]
    assert all(rule["from"] for rule in policy["spec"]["ingress"])
    assert {each["port"] for rule in policy["spec"]["ingress"] for each in rule["ports"]} <= {"http", "metrics"}
    return [peer for rule in rules for peer in rule["from"]]


def test_servers_reach_neither_each_other_nor_the_orchestrator(rendered: list[dict[str, Any]]) -> None:
    for policy in of_kind(rendered, "NetworkPolicy"):
        if component(policy) == "orchestrator":
            continue
        (peer,) = let_in(policy, "http")
        assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "orchestrator"
        ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
        assert 8000 not in ports


@pytest.mark.parametrize(
    ("name", "served", "scrapers"), [("default", True, []), ("tight", True, [MONITORING]), ("one_server", False, [])]
)
def test_every_pod_serves_metrics_to_whom_the_values_name(
    name: str, served: bool, scrapers: list[dict[str, Any]], tmp_path: Path
) -> None:
    done = run("template", SETS[name], tmp_path, "demo")
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    for each in of_kind(objects, "Deployment", "StatefulSet"):
        pod = each["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        said = [
            *container.get("args", ()),
            *(f"{variable['name']}={variable.get('value')}" for variable in container["env"]),
        ]
        told = [word for word in said if word.partition("=")[0].endswith(("--metrics", "_METRICS_HTTP"))]
        assert [word.partition("=")[2] for word in told] == ["0.0.0.0:9464"] * served
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"http": 8000, **({"metrics": 9464} if served else {})}
        annotations = pod["metadata"].get("annotations", {})
        assert annotations.get("prometheus.io/port") == ("9464" if served else None)
    for policy in of_kind(objects, "NetworkPolicy"):
        assert let_in(policy, "metrics") == scrapers


def test_three_replicas_or_as_many_as_the_load_needs(rendered: list[dict[str, Any]]) -> None:
    scaled = {component(each): each["spec"] for each in of_kind(rendered, "HorizontalPodAutoscaler")}
    for each in of_kind(rendered, "Deployment"):
        found = scaled.get(component(each))
        assert (found["minReplicas"] if found else each["spec"]["replicas"]) == 3
        assert ("replicas" in each["spec"]) is not bool(found)


def test_its_fleet_is_one_that_the_orchestrator_reads(rendered: list[dict[str, Any]], tmp_path: Path) -> None:
    (text,) = [each["data"]["fleet.yaml"] for each in of_kind(rendered, "ConfigMap")]
    fleet, shared = yaml.safe_load(text), yaml.safe_load((SHIPPED / "fleet.yaml").read_text())
    services = {each["metadata"]["name"] for each in of_kind(rendered, "Service")}
    urls = [server["url"] for server in fleet["servers"].values()]
    assert urls and {url.removeprefix("http://").removesuffix(":8000/mcp") for url in urls} <= services
    assert {key: value for key, value in fleet.items() if key != "servers"} == {
        key: value for key, value in shared.items() if key != "servers"
    }
    if len(urls) == len(SERVERS):  # else its playbooks name servers that it has not
        folder = tmp_path / "configs"
        shutil.copytree(SHIPPED, folder)
        (folder / "fleet.yaml").write_text(text)
        assert set(files.load(folder).fleet.servers) == set(SERVERS)


def test_settings_become_the_variables_that_a_server_reads(tmp_path: Path) -> None:
    done = run("template", SETS["issuer"], tmp_path, "demo", "--show-only", "templates/servers.yaml")
    (billing,) = [
        each
        for each in yaml.safe_load_all(done.stdout)
        if each and each["kind"] == "Deployment" and component(each) == "billing"
    ]
    container = billing["spec"]["template"]["spec"]["containers"][0]
    given = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    code = "from flotilla_billing.settings import Settings; print(Settings.load().model_dump_json())"
    read = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    settings = json.loads(read.stdout)
    assert settings["refund_approval_above_minor"] == 1000
    assert settings["token_algorithms"] == ["ES256"]
    assert settings["approver_subjects"] == ["anna"]
    assert settings["read_only"] is True


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    with k8s_sandbox(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster.folder / "kubeconfig"


def test_an_api_server_takes_all_of_it(rendered: list[dict[str, Any]], kubeconfig: Path) -> None:
    """Our own sandbox, which checks the types and fields of every kind."""
    assert_taken(rendered, kubeconfig)


@pytest.fixture(scope="module")
def control_plane_of_1_20(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    if lacking := missing():
        pytest.skip(f"{', '.join(lacking)} not on PATH nor built before: `make prove NAME=k8s_real` builds them")
    with control_plane(tmp_path_factory.mktemp("control-plane")) as found:
        yield found


@pytest.mark.containers
def test_a_real_api_server_takes_all_of_it(rendered: list[dict[str, Any]], control_plane_of_1_20: Path) -> None:
    """One of 1.20, which knows two of the kinds by older versions of the same fields."""
    known = [{**each, "apiVersion": IN_1_20.get(each["apiVersion"], each["apiVersion"])} for each in rendered]
    assert_taken(known, control_plane_of_1_20)


def assert_taken(objects: list[dict[str, Any]], kubeconfig: Path) -> None:
    kubectl = str(Path(sys.executable).with_name("kubectl"))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fleet"}}
    apply = [kubectl, "--kubeconfig", str(kubeconfig), "apply", "--server-side", "--validate=false", "-f", "-"]
    subprocess.run(apply, input=yaml.safe_dump(namespace), capture_output=True, text=True, check=True)
    dry = [*apply, "--namespace", "fleet", "--dry-run=server"]
    taken = subprocess.run(dry, input=yaml.safe_dump_all(objects), capture_output=True, text=True)
    assert taken.returncode == 0, taken.stderr
    assert len(taken.stdout.splitlines()) == len(objects)

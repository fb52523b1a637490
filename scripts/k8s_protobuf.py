"""Writes the Kubernetes sandbox's table of protobuf messages: `k8s_protobuf.py API APIMACHINERY > protobuf.txt`.

API and APIMACHINERY are checkouts of the Kubernetes repositories of those names. `sandbox/protobuf.py` has
the format.
"""

import importlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

SENT = {
    "apps.v1": ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
    "authentication.v1": ["SelfSubjectReview", "TokenReview"],
    "authorization.v1": [
        "LocalSubjectAccessReview",
        "SelfSubjectAccessReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
    ],
    "autoscaling.v1": ["Scale"],
    "autoscaling.v2": ["HorizontalPodAutoscaler"],
    "batch.v1": ["CronJob", "Job"],
    "coordination.v1": ["Lease"],
    "core.v1": [
        "ConfigMap",
        "Event",
        "LimitRange",
        "Namespace",
        "Node",
        "PersistentVolumeClaim",
        "Pod",
        "ResourceQuota",
        "Secret",
        "Service",
        "ServiceAccount",
    ],
    "meta.v1": ["DeleteOptions"],
    "networking.v1": ["Ingress", "NetworkPolicy"],
    "policy.v1": ["Eviction", "PodDisruptionBudget"],
    "rbac.v1": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    "scheduling.v1": ["PriorityClass"],
}
"""What typed clients create; their status, which nobody sends, is left out."""
ROOTS = [f"{home}.{name}" for home, names in SENT.items() for name in names]
_SCALARS = {"string": "s", "bytes": "b", "bool": "t", "int32": "i", "int64": "i", "uint32": "i", "double": "d"}
_SPECIAL = {"meta.v1.Time": "T", "meta.v1.MicroTime": "T", "meta.v1.FieldsV1": "R", "meta.v1.Duration": "i"}
_MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^\s*(?:(optional|repeated)\s+)?(map<\w+,\s*[\w.]+>|[\w.]+)\s+(\w+)\s*=\s*(\d+);", re.MULTILINE)


class Field(NamedTuple):
    label: str
    kind: str
    name: str
    number: str


def main(api: Path, apimachinery: Path) -> None:
    groups = {home.partition(".")[0] for home in SENT}
    files = {f"{group}.{version}": api / group / version for group in groups for version in ("v1", "v2")}
    files["meta.v1"] = apimachinery / "pkg/apis/meta/v1"
    messages: dict[str, list[Field]] = {}
    for home, folder in files.items():
        if (file := folder / "generated.proto").exists():
            text = re.sub(r"//.*", "", file.read_text())
            messages |= {f"{home}.{name}": [Field(*each) for each in _FIELD.findall(body)]
                         for name, body in _MESSAGE.findall(text)}  # fmt: skip
    written: dict[str, str] = {}
    waiting: list[str] = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in written:
            written[name] = " ".join(_fields(name, messages, waiting))
    print("\n".join(f"{name} {written[name]}".rstrip() for name in sorted(written)))


def _fields(message: str, messages: dict[str, list[Field]], waiting: list[str]) -> list[str]:
    home, known, found = message.rpartition(".")[0], _json_names(message), list[str]()
    for field in messages[message]:
        if field.name == "status" and message in ROOTS and "Review" not in message and not message.endswith("Scale"):
            continue
        entry = re.match(r"map<\w+,\s*([\w.]+)>", field.kind)
        kind = _code(entry[1] if entry else field.kind, home)
        if "." in kind:
            if kind not in messages or kind.endswith("ExtraValue"):
                continue
            waiting.append(kind)
        shown = next((name for name in known if name.lower() == field.name.lower()), field.name)
        if known and shown not in known and "." in kind:
            shown = ""  # embedded: its fields stand in the message itself
        prefix = "%" if entry else "*" if field.label == "repeated" else ""
        found.append(f"{field.number}:{shown}:{prefix}{kind}")
    return found


def _json_names(message: str) -> set[str]:
    """The fields that a message has in JSON; none for one that only exists embedded."""
    group, version, name = message.split(".")
    model = getattr(importlib.import_module(f"lightkube.models.{group}_{version}"), name, None)
    return set(model.__struct_encode_fields__) if model else set()


def _code(kind: str, home: str) -> str:
    if kind in _SCALARS:
        return _SCALARS[kind]
    for ending, code in (("resource.Quantity", "Q"), ("intstr.IntOrString", "I"), ("runtime.RawExtension", "R")):
        if kind.endswith(ending):
            return code
    name = ".".join(kind.rsplit(".", 3)[-3:]) if "." in kind else f"{home}.{kind}"
    return _SPECIAL.get(name, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

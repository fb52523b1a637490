"""What the server fills into new and changed objects where their author said nothing."""

import base64
import zlib

from .kinds import Kind
from .objects import Object, get, is_object, part


def fill(kind: Kind, value: Object) -> None:
    """Fill in the defaults of a kind, in place."""
    fillers = {
        "Deployment": _deployment,
        "StatefulSet": _stateful_set,
        "DaemonSet": _daemon_set,
        "ReplicaSet": _replica_set,
        "Job": _job,
        "CronJob": _cron_job,
        "Service": _service,
        "Secret": _secret,
        "Namespace": _namespace,
    }
    if kind.model is None:
        return
    if kind.kind == "Pod":
        _pod(part(value, "spec"))
    elif kind.kind in fillers and is_object(value.get("spec", {})):
        fillers[kind.kind](value)


def _set(value: Object, **defaults: object) -> None:
    for name, default in defaults.items():
        value.setdefault(name, default)


def _pod(spec: Object, restart: str = "Always") -> None:
    _set(spec, restartPolicy=restart, dnsPolicy="ClusterFirst", schedulerName="default-scheduler",
         terminationGracePeriodSeconds=30, securityContext={})  # fmt: skip
    for each in [*get(spec, "containers", default=[]), *get(spec, "initContainers", default=[])]:
        image = str(each.get("image", ""))
        latest = image.endswith(":latest") or ":" not in image.rpartition("/")[2]
        _set(each, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File", resources={},
             imagePullPolicy="Always" if latest else "IfNotPresent")  # fmt: skip
        for port in each.get("ports", ()):
            _set(port, protocol="TCP")
        for name in ("readinessProbe", "livenessProbe", "startupProbe"):
            if name in each:
                _set(each[name], timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
                if "httpGet" in each[name]:
                    _set(each[name]["httpGet"], path="/", scheme="HTTP")
        limits, requests = get(each, "resources", "limits", default={}), get(each, "resources", "requests", default={})
        if limits:
            each["resources"]["requests"] = {**limits, **requests}


def _template(value: Object, restart: str = "Always") -> Object:
    spec = part(value, "spec")
    if is_object(spec.get("template")):
        _pod(part(spec, "template", "spec"), restart)
    return spec


def _deployment(value: Object) -> None:
    spec = _template(value)
    _set(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600,
         strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})  # fmt: skip
    _set(spec["strategy"], type="RollingUpdate")


def _stateful_set(value: Object) -> None:
    spec = _template(value)
    _set(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady",
         updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})  # fmt: skip


def _daemon_set(value: Object) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    _set(_template(value), revisionHistoryLimit=10, updateStrategy=strategy)


def _replica_set(value: Object) -> None:
    _set(_template(value), replicas=1)


def _job(value: Object) -> None:
    _set(_template(value, "Never"), parallelism=1, completions=1, backoffLimit=6, completionMode="NonIndexed",
         suspend=False)  # fmt: skip


def _cron_job(value: Object) -> None:
    _set(part(value, "spec"), concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3,
         failedJobsHistoryLimit=1)  # fmt: skip


def _service(value: Object) -> None:
    spec = part(value, "spec")
    _set(spec, type="ClusterIP", sessionAffinity="None", internalTrafficPolicy="Cluster")
    if spec["type"] != "ExternalName" and "clusterIP" not in spec:
        number = zlib.crc32(f"{value['metadata'].get('namespace')}/{value['metadata'].get('name')}".encode())
        spec["clusterIP"] = f"10.96.{number >> 8 & 255}.{number & 255}"
    _set(spec, clusterIPs=[spec["clusterIP"]] if "clusterIP" in spec else [], ipFamilies=["IPv4"],
         ipFamilyPolicy="SingleStack")  # fmt: skip
    for port in get(spec, "ports", default=[]):
        _set(port, protocol="TCP", targetPort=port.get("port"))


def _secret(value: Object) -> None:
    _set(value, type="Opaque")
    plain = value.pop("stringData", None)
    if plain:
        data = part(value, "data")
        data.update({name: base64.b64encode(text.encode()).decode() for name, text in plain.items()})


def _namespace(value: Object) -> None:
    part(value, "metadata", "labels")["kubernetes.io/metadata.name"] = value["metadata"].get("name", "")
    part(value, "spec").setdefault("finalizers", ["kubernetes"])
    part(value, "status").setdefault("phase", "Active")

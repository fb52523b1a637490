"""One object as it is shown: what an API server fills in by itself left out, or the fields that were asked for."""

import re
from collections.abc import Sequence
from typing import Any, cast

from flotilla_kit.errors import InvalidArguments
from flotilla_kit.paging import answer_bytes

from ..objects import Object, mapping, text

EVERYTHING = "*"
TRUNCATED = "truncated"
_BUILT_IN = ("", "apps", "batch", "policy", "autoscaling")
_METADATA = {"uid", "resourceVersion", "generation", "generateName", "selfLink", "managedFields"}
_LEFT_OUT = {
    *(
        "terminationMessagePath",
        "terminationMessagePolicy",
        "containerID",
        "imageID",
        "podIPs",
        "hostIPs",
        "clusterIPs",
    ),
    *("lastProbeTime", "lastHeartbeatTime", "lastUpdateTime", "observedGeneration", "qosClass", "serviceAccount"),
    *("ipFamilies", "allocatedResources", "uid", "controller", "blockOwnerDeletion", "collisionCount"),
}
_DEFAULTS: dict[str, Any] = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "serviceAccountName": "default",
    "terminationGracePeriodSeconds": 30,
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
    "imagePullPolicy": "IfNotPresent",
    "protocol": "TCP",
    "scheme": "HTTP",
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
    "progressDeadlineSeconds": 600,
    "revisionHistoryLimit": 10,
    "sessionAffinity": "None",
    "internalTrafficPolicy": "Cluster",
    "ipFamilyPolicy": "SingleStack",
    "defaultMode": 420,
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    "started": True,
    "restartCount": 0,
    "finalizers": ["kubernetes"],
}
_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_TOKEN_VOLUME, _TOKEN_FOLDER = "kube-api-access-", "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_SECRET = re.compile(r".+-token-[a-z0-9]{5}")  # which a volume is named after, before 1.21
_SIZES = ((2_000, 200), (1_000, 50), (400, 20), (200, 10), (100, 5), (60, 2))


def shown(redacted: Object, group: str, fields: Sequence[str] | None, max_bytes: int) -> Object:
    """An object that fits: terse, or its `fields` as they are; texts and lists of one that is too large are cut.

    Args:
        redacted: the object without secrets.
        fields: paths such as `spec.template.spec.containers`; `*` is everything.

    Raises:
        InvalidArguments: there is nothing at any of the fields.
    """
    if fields is None:
        said = cast(Object, _terse(redacted, "", group in _BUILT_IN))
    elif EVERYTHING in fields:
        said = redacted
    else:
        said = _picked(redacted, [path.split(".") for path in fields])
        if not said:
            raise InvalidArguments(
                "The object has nothing at these fields.", suggestion=f"At the top it has: {', '.join(redacted)}."[:500]
            )
        said = {"kind": redacted.get("kind"), **said}
    return _fitting(said, max_bytes)


def _picked(value: Any, paths: Sequence[Sequence[str]]) -> Any:
    """What is at the paths; those through a list are of each of its items."""
    if any(not path for path in paths):
        return value
    if isinstance(value, list):
        found = [_picked(each, paths) for each in cast("list[Any]", value)]
        return [each for each in found if each]
    if not isinstance(value, dict):
        return {}
    picked: Object = {}
    for key, inner in cast(Object, value).items():
        below = [path[1:] for path in paths if path[0] == key]
        if below and (found := _picked(inner, below)) not in ({}, []):
            picked[key] = found
    return picked


def _terse(value: Any, key: str, built_in: bool) -> Any:
    if isinstance(value, list):
        items = [each for each in cast("list[Any]", value) if not (built_in and _is_noise(key, each))]
        return [_terse(each, "", built_in) for each in items]
    if not isinstance(value, dict):
        return value
    kept: Object = {}
    for name, inner in cast(Object, value).items():
        left_out = name in _METADATA if key == "metadata" else built_in and name in _LEFT_OUT
        if left_out or inner in (None, "") or (built_in and name in _DEFAULTS and _DEFAULTS[name] == inner):
            continue
        said = _terse(inner, name, built_in)
        if said not in ({}, []) or (inner in ({}, []) and name == "emptyDir"):
            kept[name] = said
    return kept


def _is_noise(key: str, item: Any) -> bool:
    """Whether an item of a list is what admission puts into every pod."""
    if key == "tolerations":
        return text(item, "key") in _TOLERATED and text(item, "effect") == "NoExecute"
    if key == "volumeMounts":
        return text(item, "mountPath") == _TOKEN_FOLDER
    name = text(item, "name")
    of_secret = name == text(item, "secret", "secretName") and _TOKEN_SECRET.fullmatch(name) is not None
    return key == "volumes" and (name.startswith(_TOKEN_VOLUME) or of_secret)


def _fitting(said: Object, max_bytes: int) -> Object:
    if answer_bytes(said) <= max_bytes:
        return said
    note = "texts and lists were cut; pass fields, such as spec, for a part"
    for longest, most in _SIZES:
        cut = {**cast(Object, _cut(said, longest, most)), TRUNCATED: note}
        if answer_bytes(cut) <= max_bytes:
            return cut
    metadata = {key: mapping(said, "metadata").get(key) for key in ("name", "namespace")}
    return {"kind": said.get("kind"), "metadata": metadata, TRUNCATED: note, "fields": sorted(said)[:50]}


def _cut(value: Any, longest: int, most: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + "…"
    if isinstance(value, list):
        items = cast("list[Any]", value)
        more = [f"… {len(items) - most} more"] if len(items) > most else []
        return [_cut(each, longest, most) for each in items[:most]] + more
    if isinstance(value, dict):
        entries = list(cast(Object, value).items())
        more = {"…": f"{len(entries) - most} more"} if len(entries) > most else {}
        return {key: _cut(inner, longest, most) for key, inner in entries[:most]} | more
    return value

"""Pods: from being scheduled to being ready, or to what keeps them from it."""

import zlib
from collections.abc import Callable

from .. import quantities
from ..objects import Object, condition, get, is_terminating, name_of, timestamp, with_condition
from .control import Control, stall_of

_UNREACHABLE = ".invalid"
"""Images of a registry with this top-level domain, which never exists, cannot be pulled."""
_SCHEDULER, _KUBELET = "default-scheduler", "kubelet"


def reconcile(control: Control, pod: Object) -> float | None:
    """The next step of a pod's life; returns in how many seconds another follows."""
    options = control.cluster.options
    if is_terminating(pod):
        return _terminate(control, pod)
    if get(pod, "spec", "nodeName") is None:
        _schedule(control, pod)
        return None
    if get(pod, "status", "phase") != "Pending":
        return None
    if not get(pod, "status", "containerStatuses"):
        _create_containers(control, pod)
        return None
    if left := control.left(pod, "start", options.ready_after_s):
        return left
    stall = _stall(pod)
    if stall == "image-pull":
        return _fail_to_pull(control, pod)
    _start(control, pod, stall)
    return None


def _terminate(control: Control, pod: Object) -> float | None:
    conditions = get(pod, "status", "conditions", default=[])
    if get(condition(conditions, "Ready"), "reason") != "PodTerminating":
        conditions = with_condition(conditions, "Ready", "False", "PodTerminating")
        control.update("pods", pod, status={**get(pod, "status", default={}), "conditions": conditions})
        control.event(pod, "Killing", f"Stopping container {_names(pod)[0]}", _KUBELET)
    if left := control.left(pod, "end", control.cluster.options.terminate_after_s):
        return left
    if not pod["metadata"].get("finalizers"):
        control.over(pod, "end")
        control.remove("pods", pod)
    return None


def _stall(pod: Object) -> str | None:
    """What keeps a pod from being ready: what its annotation says, or what in its spec cannot work."""
    if stall := stall_of(pod):
        return stall
    for each in get(pod, "spec", "containers", default=[]):
        if each["image"].partition("/")[0].endswith(_UNREACHABLE):
            return "image-pull"
        port = get(each, "readinessProbe", "httpGet", "port") or get(each, "readinessProbe", "tcpSocket", "port")
        open_ports = [given for one in each.get("ports", []) for given in (one.get("containerPort"), one.get("name"))]
        if port is not None and port not in open_ports:
            return "probe"
    return None


def _schedule(control: Control, pod: Object) -> None:
    nodes = [node for node in control.storage.objects("nodes") if not get(node, "spec", "unschedulable")]
    lacking = _lacking(pod, nodes)
    if stall_of(pod) == "scheduling" and not lacking:
        lacking = "cpu"
    if lacking or not nodes:
        what = f"{len(nodes)} Insufficient {lacking}" if nodes else "no nodes available"
        message = f"0/{len(nodes)} nodes are available: {what}. preemption: 0/{len(nodes)} nodes are available: "
        message += f"{len(nodes)} No preemption victims found for incoming pod."
        conditions = with_condition([], "PodScheduled", "False", "Unschedulable", message)
        if get(pod, "status", "conditions") is None:
            control.update("pods", pod, status={**get(pod, "status", default={}), "conditions": conditions})
            control.event(pod, "FailedScheduling", message, _SCHEDULER, warning=True)
        return
    node = name_of(nodes[zlib.crc32(name_of(pod).encode()) % len(nodes)])
    conditions = with_condition([], "PodScheduled", "True", "")
    status = {**get(pod, "status", default={}), "conditions": conditions}
    placed = control.update("pods", pod, spec={**pod["spec"], "nodeName": node}, status=status)
    where = f"{placed['metadata']['namespace']}/{name_of(pod)}"
    control.event(pod, "Scheduled", f"Successfully assigned {where} to {node}", _SCHEDULER)


def _lacking(pod: Object, nodes: list[Object]) -> str:
    """The resource of which no node has as much as the pod asks for."""
    for resource in ("cpu", "memory"):
        asked = sum(
            quantities.parse(get(each, "resources", "requests", resource, default="0"))
            for each in get(pod, "spec", "containers", default=[])
        )
        offered = [quantities.parse(get(node, "status", "allocatable", resource, default="0")) for node in nodes]
        if asked > max(offered, default=asked):
            return resource
    return ""


def _create_containers(control: Control, pod: Object) -> None:
    states = _states(pod, lambda _: {"state": {"waiting": {"reason": "ContainerCreating"}}})
    control.left(pod, "start", 0)
    _report(control, pod, "Pending", states, ready=False, startTime=timestamp())
    for each in pod["spec"]["containers"]:
        control.event(pod, "Pulling", f'Pulling image "{each["image"]}"', _KUBELET)


def _fail_to_pull(control: Control, pod: Object) -> float | None:
    waiting = get(pod, "status", "containerStatuses", default=[])[0]["state"]["waiting"]["reason"]
    image = pod["spec"]["containers"][0]["image"]
    cause = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": not found'
    said = f"rpc error: code = NotFound desc = {cause}"
    if waiting == "ContainerCreating":
        control.event(pod, "Failed", f'Failed to pull image "{image}": {said}', _KUBELET, warning=True)
        control.event(pod, "Failed", "Error: ErrImagePull", _KUBELET, warning=True)
        state = {"waiting": {"reason": "ErrImagePull", "message": said}}
    elif waiting == "ErrImagePull":
        if left := control.left(pod, "back off", control.cluster.options.ready_after_s):
            return left
        control.event(pod, "BackOff", f'Back-off pulling image "{image}"', _KUBELET)
        control.event(pod, "Failed", "Error: ImagePullBackOff", _KUBELET, warning=True)
        message = f'Back-off pulling image "{image}": ErrImagePull: {said}'
        state = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
    else:
        return None
    _report(control, pod, "Pending", _states(pod, lambda _: {"state": state}), ready=False)
    return None


def _start(control: Control, pod: Object, stall: str | None) -> None:
    control.over(pod, "start")
    for each in pod["spec"]["containers"]:
        control.event(pod, "Pulled", f'Successfully pulled image "{each["image"]}"', _KUBELET)
        control.event(pod, "Created", f"Created container: {each['name']}", _KUBELET)
        control.event(pod, "Started", f"Started container {each['name']}", _KUBELET)
    now = timestamp()
    if stall == "crash":
        ended = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}}
        message = f"back-off 5m0s restarting failed container={_names(pod)[0]} pod={name_of(pod)}"
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        states = _states(pod, lambda _: {"state": waiting, "lastState": ended, "restartCount": 5})
        said = f"Back-off restarting failed container {_names(pod)[0]} in pod {name_of(pod)}"
        control.event(pod, "BackOff", said, _KUBELET, warning=True)
        _report(control, pod, "Running", states, ready=False)
        return
    if pod["spec"].get("restartPolicy") != "Always":
        done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}}
        _report(control, pod, "Succeeded", _states(pod, lambda _: {"state": done}), ready=False)
        return
    ready = stall != "probe"
    running = _states(pod, lambda _: {"state": {"running": {"startedAt": now}}, "ready": ready, "started": True})
    _report(control, pod, "Running", running, ready=ready)
    if not ready:
        message = "Readiness probe failed: HTTP probe failed with statuscode: 503"
        control.event(pod, "Unhealthy", message, _KUBELET, warning=True)


def _states(pod: Object, state: Callable[[str], Object]) -> list[Object]:
    """A status for each container."""
    return [
        {
            "name": each["name"],
            "image": each["image"],
            "imageID": "",
            "ready": False,
            "started": False,
            "restartCount": 0,
            "lastState": {},
            **state(each["name"]),
        }
        for each in pod["spec"]["containers"]
    ]


def _report(control: Control, pod: Object, phase: str, states: list[Object], *, ready: bool, **more: str) -> None:
    conditions = get(pod, "status", "conditions", default=[])
    names = " ".join(_names(pod))
    for kind in ("Initialized", "ContainersReady", "Ready"):
        holds = ready or kind == "Initialized"
        reason = "" if holds else "PodCompleted" if phase == "Succeeded" else "ContainersNotReady"
        message = f"containers with unready status: [{names}]" if reason == "ContainersNotReady" else ""
        conditions = with_condition(conditions, kind, "True" if holds else "False", reason, message)
    number = zlib.crc32(name_of(pod).encode())
    status = {
        **get(pod, "status", default={}),
        **more,
        "phase": phase,
        "hostIP": "10.0.0.1",
        "podIP": f"10.244.{number >> 8 & 255}.{number & 255}",
        "conditions": conditions,
        "containerStatuses": states,
    }
    status["podIPs"] = [{"ip": status["podIP"]}]
    control.update("pods", pod, status=status)


def _names(pod: Object) -> list[str]:
    return [each["name"] for each in get(pod, "spec", "containers", default=[])]

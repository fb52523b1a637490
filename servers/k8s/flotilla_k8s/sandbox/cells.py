"""What the cells of Tables say of an object."""

from collections.abc import Callable
from typing import Any

from .objects import Object, elements, get, has_condition, is_terminating, members, seconds_of


def containers(value: Object) -> list[Object]:
    return get(value, "spec", "template", "spec", "containers", default=[])


def selector(value: Object) -> str:
    labels: Object = get(value, "spec", "selector", "matchLabels", default=get(value, "spec", "selector", default={}))
    return ",".join(f"{key}={each}" for key, each in sorted(labels.items())) or "<none>"


def ready_containers(pod: Object) -> str:
    states = get(pod, "status", "containerStatuses", default=[])
    return f"{sum(1 for each in states if each.get('ready'))}/{len(get(pod, 'spec', 'containers', default=[]))}"


def pod_status(pod: Object) -> str:
    """What `kubectl get pods` shows: the phase, or why a container waits or ended."""
    text = get(pod, "status", "reason") or get(pod, "status", "phase", default="Unknown")
    for each in get(pod, "status", "containerStatuses", default=[]):
        for state in ("waiting", "terminated"):
            text = get(each, "state", state, "reason", default=text)
    return "Terminating" if is_terminating(pod) else text


def restarts(pod: Object) -> str:
    return str(sum(each.get("restartCount", 0) for each in get(pod, "status", "containerStatuses", default=[])))


def ports(service: Object) -> str:
    shown: list[str] = []
    for each in get(service, "spec", "ports", default=[]):
        node = f":{each['nodePort']}" if "nodePort" in each else ""
        shown.append(f"{each.get('port')}{node}/{each.get('protocol', 'TCP')}")
    return ",".join(shown) or "<none>"


def external_addresses(service: Object) -> str:
    found = get(service, "status", "loadBalancer", "ingress", default=[])
    pending = get(service, "spec", "type") == "LoadBalancer"
    return ",".join(each.get("ip", "") for each in found) or ("<pending>" if pending else "<none>")


def quota_usage(prefix: str) -> Callable[[Object], str]:
    def show(quota: Object) -> str:
        hard, used = get(quota, "spec", "hard", default={}), get(quota, "status", "used", default={})
        keys = [key for key in sorted(hard) if key.startswith("limits.") == (prefix == "limits.")]
        return ", ".join(f"{key}: {used.get(key, '0')}/{hard[key]}" for key in keys)

    return show


def involved_object(event: Object) -> str:
    involved = event.get("involvedObject", {})
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def last_seen(event: Object) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or get(event, "metadata", "creationTimestamp")


def job_state(job: Object) -> str:
    return next((kind for kind in ("Complete", "Failed") if has_condition(job, kind)), "Running")


def job_duration(job: Object) -> str:
    """How long a job took, or nothing while it runs."""
    done = seconds_of(get(job, "status", "completionTime"))
    return f"{int(done - seconds_of(get(job, 'status', 'startTime')))}s" if done else ""


def node_status(node: Object) -> str:
    return ("Ready" if has_condition(node, "Ready") else "NotReady") + (
        ",SchedulingDisabled" if get(node, "spec", "unschedulable") else ""
    )


def node_roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = get(node, "metadata", "labels", default={})
    return ",".join(key.removeprefix(prefix) for key in sorted(labels) if key.startswith(prefix)) or "<none>"


def bound_role(binding: Object) -> str:
    return f"{get(binding, 'roleRef', 'kind')}/{get(binding, 'roleRef', 'name')}"


def json_path(path: str) -> Callable[[Object], Any]:
    """Of the JSONPath language: names and indexes."""
    parts = path.strip("{}").replace("[", ".").replace("]", "").split(".")

    def value(of: Any) -> Any:
        for part in filter(None, parts):
            found = elements(of)
            of = found[int(part)] if part.isdigit() and int(part) < len(found) else members(of).get(part)
        return of

    return value


def hosts(ingress: Object) -> str:
    return ",".join(each.get("host", "*") for each in get(ingress, "spec", "rules", default=[]))


def scale_target(autoscaler: Object) -> str:
    return "/".join(get(autoscaler, "spec", "scaleTargetRef", part, default="") for part in ("kind", "name"))

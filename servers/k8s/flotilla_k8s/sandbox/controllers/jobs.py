"""Jobs: pods that run to their end, as many as have to complete."""

from ..objects import Object, get, is_terminating, name_of, timestamp, with_condition
from ..status import ApiError
from .control import Control, is_active

_COMPONENT = "job-controller"
_REACHED = "Reached expected number of succeeded pods"


def reconcile(control: Control, job: Object) -> float | None:
    if is_terminating(job) or get(job, "spec", "suspend", default=False) or get(job, "status", "completionTime"):
        return None
    pods = control.owned(job, "pods")
    active = [pod for pod in pods if is_active(pod)]
    succeeded = sum(1 for pod in pods if get(pod, "status", "phase") == "Succeeded")
    wanted = get(job, "spec", "completions", default=1)
    room = min(get(job, "spec", "parallelism", default=1), wanted - succeeded) - len(active)
    failed = False
    for _ in range(room):
        try:
            pod = control.create_pod(job, {"batch.kubernetes.io/job-name": name_of(job), "job-name": name_of(job)})
        except ApiError as error:
            control.event(job, "FailedCreate", f"Error creating: {error.message}", _COMPONENT, warning=True)
            failed = True
            break
        control.event(job, "SuccessfulCreate", f"Created pod: {name_of(pod)}", _COMPONENT)
    live = control.live("jobs.batch", job) or job
    status: Object = {"startTime": timestamp(), **get(live, "status", default={})}
    active = [pod for pod in control.owned(job, "pods") if is_active(pod)]
    status |= {"active": len(active), "succeeded": succeeded, "ready": 0}
    if succeeded >= wanted:
        conditions: list[Object] = []
        for kind in ("SuccessCriteriaMet", "Complete"):
            conditions = with_condition(conditions, kind, "True", "CompletionsReached", _REACHED)
        status["conditions"] = conditions
        status["completionTime"] = timestamp()
        control.event(job, "Completed", "Job completed", _COMPONENT)
    control.update("jobs.batch", live, status={name: each for name, each in status.items() if each != 0})
    return 2.0 if failed else None

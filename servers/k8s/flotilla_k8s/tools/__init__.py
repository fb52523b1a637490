"""What the model sees. Each tool is a line over what it reads or changes; bad input never reaches that."""

from . import contexts, pods, resources, rollout

TOOLS = [
    contexts.list_contexts,
    contexts.list_namespaces,
    resources.list_resources,
    resources.get_resource,
    pods.get_pod_logs,
    pods.list_events,
    rollout.get_rollout,
    pods.get_resource_usage,
    resources.check_access,
]

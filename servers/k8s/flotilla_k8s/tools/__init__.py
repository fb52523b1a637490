"""What the model sees. Each tool is a line over what it reads or changes; bad input never reaches that."""

from . import changes, contexts, namespaces, pods, resources, rollout, workloads

TOOLS = [
    contexts.list_contexts,
    contexts.list_namespaces,
    namespaces.provision_namespace,
    resources.list_resources,
    resources.get_resource,
    changes.apply_manifest,
    changes.delete_resource,
    pods.get_pod_logs,
    pods.list_events,
    rollout.get_rollout,
    workloads.restart_rollout,
    workloads.undo_rollout,
    workloads.scale_workload,
    pods.get_resource_usage,
    resources.check_access,
]

"""What the model sees. Each tool is a line over what it reads or changes; bad input never reaches that."""

from . import changes, contexts, namespaces, rollouts

TOOLS = [
    contexts.list_contexts,
    namespaces.provision_namespace,
    changes.apply_manifest,
    changes.delete_resource,
    rollouts.restart_rollout,
    rollouts.undo_rollout,
    rollouts.scale_workload,
]

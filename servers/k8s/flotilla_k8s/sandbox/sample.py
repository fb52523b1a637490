"""What is in a sandbox when it starts: what every cluster has, and the sample teams."""

from . import writing
from .access import rules
from .cluster import Cluster
from .objects import Object
from .writing import Write

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def fill(cluster: Cluster) -> None:
    """Put in what the options ask for."""
    for name in SYSTEM_NAMESPACES:
        make(cluster, "namespaces", {"metadata": {"name": name}})
    for name, granted in rules.cluster_roles().items():
        make(cluster, "clusterroles.rbac.authorization.k8s.io", {"metadata": {"name": name}, "rules": granted})
    binding: Object = {
        "metadata": {"name": "viewers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "viewers"}],
    }
    make(cluster, "clusterrolebindings.rbac.authorization.k8s.io", binding)


def make(cluster: Cluster, qualified: str, value: Object, namespace: str = "") -> Object:
    """Create an object as whoever set the cluster up."""
    return writing.create(cluster, Write(cluster.kind(qualified), namespace, manager="cluster-setup"), value)

"""One cluster: its kinds and objects, and how it was asked to behave."""

from dataclasses import dataclass, field

from .kinds import Kind, Kinds
from .storage import Storage


@dataclass(frozen=True)
class Options:
    """How a sandbox behaves. Times are in seconds."""

    data: str = "sample"
    """`sample`, or `empty` for a cluster that was just made."""
    pods: int = 0
    """So many pods more, of deployments in namespaces `bench-0`, `bench-1`, …"""
    ready_after_s: float = 1.0
    """From a pod's start until it is ready."""
    terminate_after_s: float = 0.5
    """What pods and namespaces take to end."""
    bookmark_s: float = 60.0
    """How often a watch tells its revision."""
    faults: bool = False
    """Whether `POST /sandbox/faults` may make requests fail."""


@dataclass
class Cluster:
    options: Options = field(default_factory=Options)
    kinds: Kinds = field(default_factory=Kinds)
    storage: Storage = field(default_factory=Storage)

    def kind(self, qualified: str) -> Kind:
        return self.kinds.plural(qualified)

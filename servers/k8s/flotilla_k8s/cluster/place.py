"""What a call is about: objects of a kind, where they are."""

from dataclasses import dataclass

from ..policy.policy import Target
from .cluster import Cluster
from .kinds import Kind


@dataclass(frozen=True)
class Place:
    """Objects of a kind in a cluster. `namespace` None: all of them, or what is in none; `name` None: all of them."""

    cluster: Cluster
    kind: Kind
    namespace: str | None
    name: str | None = None

    @property
    def target(self) -> Target:
        """The same in names, as the policy looks at it."""
        return Target(self.cluster.name, self.namespace, self.kind.kind, self.name)

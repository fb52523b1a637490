"""The rules of what a caller may read and change: by the settings, and by the scope of the caller's mandate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from ..errors import NamespaceNotAllowed, ProtectedKind, ProtectedNamespace
from ..settings import Settings

Act = Literal["read", "change"]
PRODUCTION_LABEL = ("environment", "production")


@dataclass(frozen=True)
class Target:
    """What a call is about: objects of a kind in a context.

    Args:
        namespace: None for all namespaces, and for what is in none.
        kind: such as `Deployment`.
        name: None for all of them.
    """

    context: str
    namespace: str | None
    kind: str
    name: str | None = None

    @property
    def of_namespace(self) -> str | None:
        """The namespace that it concerns: for a Namespace, the object itself."""
        return self.name if self.kind == "Namespace" else self.namespace


@dataclass(frozen=True)
class Scope:
    """What a mandate narrows its bearer to. None: not narrowed."""

    context: str | None = None
    namespace: str | None = None


class Policy:
    """The policy of a server. `check` is asked by every read and every change when it is made."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = settings.namespaces
        self._protected = settings.protected_namespaces
        self._kinds = {kind.lower() for kind in settings.protected_kinds}
        self._production = settings.production_namespaces
        self.approve_all_changes = settings.approve_all_changes

    def check(self, act: Act, target: Target, scope: Scope) -> None:
        """Return if it is allowed. The answer depends on names only, never on what is there.

        Raises:
            NamespaceNotAllowed: it is in another namespace or context than the caller is narrowed to, or in all.
            ProtectedNamespace: a change in a protected namespace.
            ProtectedKind: a change of a protected kind.
        """
        if scope.context is not None and target.context != scope.context:
            raise NamespaceNotAllowed("That context is outside of this mandate.", suggestion="Stay within your case.")
        namespace = target.of_namespace
        if not self.shows(namespace, scope):
            raise _outside(self._allowed, scope)
        if act == "read":
            return
        if namespace is not None and self.is_protected(namespace):
            raise ProtectedNamespace(
                f"Nothing is changed in protected namespaces: {', '.join(self._protected)}.",
                suggestion="Work in another namespace; whoever runs this server can change the list.",
                details={"protected": list(self._protected)},
            )
        if target.kind.lower() in self._kinds:
            raise ProtectedKind(
                f"Objects of the kind {target.kind} are not changed by this server.",
                suggestion="Ask whoever runs the cluster; the setting protected_kinds has the list.",
            )

    def shows(self, namespace: str | None, scope: Scope) -> bool:
        """Whether a namespace exists for the caller; with None, whether the cluster as a whole does."""
        if namespace is None:
            return scope.namespace is None and self._allowed is None
        if scope.namespace is not None and namespace != scope.namespace:
            return False
        return self._allowed is None or _matches(namespace, self._allowed)

    def is_protected(self, namespace: str) -> bool:
        return _matches(namespace, self._protected)

    def is_production(self, namespace: str, labels: Mapping[str, str] | None = None) -> bool:
        """Whether changes in a namespace with these labels wait for a person."""
        key, value = PRODUCTION_LABEL
        labelled = (labels or {}).get(key, "").lower() == value
        return labelled or _matches(namespace, self._production)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _outside(allowed: tuple[str, ...] | None, scope: Scope) -> NamespaceNotAllowed:
    seen = [scope.namespace] if scope.namespace is not None else list(allowed or ())
    return NamespaceNotAllowed(
        "This caller is served these namespaces only, and nothing of the cluster as a whole.",
        suggestion=f"Name one of these namespaces: {', '.join(seen)}."[:1000],
        details={"namespaces": seen[:50]},
    )

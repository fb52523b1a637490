"""The clusters of a server: one connection for each context, made when it is first asked for."""

from pathlib import Path

from ..errors import ContextRequired
from ..redaction import Redactor
from ..settings import Settings
from .cluster import Cluster
from .kubeconfig import Context, load_contexts

MOST_SHOWN = 50


class Clusters:
    """The contexts that are served and the connections to them. The kubeconfig is read at the first use."""

    def __init__(self, settings: Settings) -> None:
        self.redactor = Redactor(settings)
        self._settings = settings
        self._contexts: dict[str, Context] | None = None
        self._open: dict[str, Cluster] = {}

    def serve(self, kubeconfig: Path) -> None:
        """Take the contexts from this file, whatever the settings say."""
        self._settings, self._contexts = self._settings.model_copy(update={"kubeconfig": kubeconfig}), None

    @property
    def contexts(self) -> dict[str, Context]:
        """The contexts to serve, by name. Raises `NoCluster`."""
        if self._contexts is None:
            self._contexts = load_contexts(self._settings)
            for context in self._contexts.values():
                if user := context.config.user:
                    self.redactor.remember(user.token, user.password, user.client_key_data)
        return self._contexts

    def pick(self, context: str | None) -> Cluster:
        """The cluster of the context that a call names; it may leave it out if only one is served.

        Raises:
            ContextRequired: it names none where several are served, or one that is not.
            NoCluster: there is no kubeconfig that can be used.
        """
        served = self.contexts
        name = next(iter(served)) if context is None and len(served) == 1 else context
        if name is None or name not in served:
            names = sorted(served)
            problem = "This call names no context, and several are served." if name is None else "No such context."
            raise ContextRequired(
                problem,
                suggestion=f"Pass context: one of {', '.join(names[:MOST_SHOWN])}."[:2000],
                details={"contexts": names[:MOST_SHOWN]},
            )
        if name not in self._open:
            self._open[name] = Cluster(served[name], self._settings, self.redactor)
        return self._open[name]

    async def close(self) -> None:
        for cluster in self._open.values():
            await cluster.close()
        self._open.clear()

"""Refusals that only a server for Kubernetes has: of its own policy, and of an API server."""

from flotilla_kit.errors import Conflict, FlotillaError, InvalidArguments


class NoCluster(FlotillaError):
    """There is no kubeconfig, or it cannot be used."""

    code = "no_cluster"


class ContextRequired(InvalidArguments):
    """Several contexts are served, and the call names none or another; `details.contexts` lists them."""

    code = "context_required"


class UnknownKind(InvalidArguments):
    """The API server has no such kind; the suggestion names near ones."""

    code = "unknown_kind"


class NamespaceNotAllowed(FlotillaError):
    """The namespace, or the cluster as a whole, is outside of what is served to this caller."""

    code = "namespace_not_allowed"


class ProtectedNamespace(FlotillaError):
    """Nothing is changed in that namespace; `details.protected` lists the patterns."""

    code = "protected_namespace"


class ProtectedKind(FlotillaError):
    """Nothing of that kind is changed."""

    code = "protected_kind"


class CredentialsUnavailable(FlotillaError):
    """The kubeconfig's credential plugin failed. What it printed is not told."""

    code = "credentials_unavailable"


class Unauthorized(FlotillaError):
    """The API server does not accept the context's credentials."""

    code = "unauthorized"


class Forbidden(FlotillaError):
    """RBAC, or an admission rule, refuses it; `details` name the missing verb and its resource."""

    code = "forbidden"


class QuotaExceeded(FlotillaError):
    """A ResourceQuota of the namespace refuses it."""

    code = "quota_exceeded"


class InvalidObject(FlotillaError):
    """The API server does not accept the object; `details.causes` say which fields."""

    code = "invalid_object"


class AlreadyExists(Conflict):
    """There is an object of that name."""

    code = "already_exists"


class FieldConflict(Conflict):
    """Other managers own fields that were to be applied; `details.conflicts` have each `manager` and `field`."""

    code = "field_conflict"


class ClusterUnavailable(FlotillaError):
    """The API server gave no definite answer: a timeout, a lost connection, a server error, too many requests."""

    code = "cluster_unavailable"
    retryable = True

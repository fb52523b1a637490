"""Settings of the Kubernetes server."""

from pathlib import Path
from typing import Any, ClassVar

from flotilla_kit.settings import ServerSettings
from pydantic import Field, field_validator


class Settings(ServerSettings):
    server: ClassVar[str] = "k8s"

    kubeconfig: Path | None = Field(
        default=None, description="kubeconfig file (default: KUBECONFIG, ~/.kube/config, or the pod's service account)"
    )
    context: str | None = Field(default=None, description="serve this context only; calls need not name it then")
    namespaces: tuple[str, ...] | None = Field(
        default=None, description="serve these namespaces only, such as team-*; nothing of the cluster as a whole"
    )
    protected_namespaces: tuple[str, ...] = Field(
        default=("kube-*", "default"), description="namespaces in which nothing is changed"
    )
    protected_kinds: tuple[str, ...] = Field(
        default=(
            "APIService",
            "CertificateSigningRequest",
            "ClusterRole",
            "ClusterRoleBinding",
            "CustomResourceDefinition",
            "MutatingWebhookConfiguration",
            "Node",
            "PersistentVolume",
            "PriorityClass",
            "StorageClass",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ),
        description="kinds of which nothing is changed",
    )
    production_namespaces: tuple[str, ...] = Field(
        default=("prod", "prod-*", "*-prod", "production"),
        description="namespaces where every change waits for a person, as in those labelled environment=production",
    )
    approve_all_changes: bool = Field(default=False, description="every change waits for a person")
    owner_role: str = Field(
        default="edit",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]*$",
        description="ClusterRole that provision_namespace gives to a namespace's owner group",
    )
    secret_config_maps: tuple[str, ...] = Field(
        default=(), description="ConfigMaps whose data is never shown, as NAME or NAMESPACE/NAME, with * for any"
    )
    request_timeout_s: float = Field(default=10, gt=0, le=60, description="how long an API server may take to answer")
    credential_timeout_s: float = Field(
        default=15, gt=0, le=60, description="how long a credential plugin of the kubeconfig may take"
    )

    @field_validator(
        "namespaces",
        "protected_namespaces",
        "protected_kinds",
        "production_namespaces",
        "secret_config_maps",
        mode="before",
    )
    @classmethod
    def _listed(cls, value: object) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

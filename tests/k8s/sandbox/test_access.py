"""Who may do what, and how a refusal is worded."""

from collections.abc import Generator
from typing import Any

import pytest
from lightkube import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.models.rbac_v1 import RoleRef, Subject
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview
from lightkube.resources.core_v1 import ConfigMap, Namespace, Secret
from lightkube.resources.rbac_authorization_v1 import RoleBinding
from support.k8s_sandbox import Sandbox

from .conftest import client_of
from .manifests import typed


@pytest.fixture(scope="module")
def viewer(sandbox: Sandbox) -> Generator[Any]:
    with client_of(sandbox, "viewer") as client:
        yield client


def refused(error: pytest.ExceptionInfo[ApiError]) -> str:
    assert (error.value.status.code, error.value.status.reason) == (403, "Forbidden")
    return error.value.status.message or ""


def test_a_viewer_reads_but_neither_changes_nor_reads_secrets(viewer: Any, namespace: str) -> None:
    assert list(viewer.list(ConfigMap, namespace=namespace)) is not None
    with pytest.raises(ApiError) as error:
        viewer.create(ConfigMap(metadata=ObjectMeta(name="a", namespace=namespace)))
    assert refused(error) == (
        f'configmaps is forbidden: User "viewer" cannot create resource "configmaps" in API group "" in the namespace '
        f'"{namespace}"'
    )
    with pytest.raises(ApiError) as error:
        viewer.get(Secret, "s", namespace=namespace)
    assert refused(error).startswith('secrets "s" is forbidden: User "viewer" cannot get resource "secrets"')
    with pytest.raises(ApiError) as error:
        viewer.delete(Namespace, namespace)
    assert refused(error).startswith(f'namespaces "{namespace}" is forbidden: User "viewer" cannot delete resource')


def test_a_role_binding_gives_access_in_its_namespace_only(sandbox: Sandbox, client: Any, namespace: str) -> None:
    with client_of(sandbox, "team-a-editor") as editor:
        value = ConfigMap(metadata=ObjectMeta(name="a", namespace=namespace))
        with pytest.raises(ApiError):
            editor.create(value)
        binding = RoleBinding(
            RoleRef(apiGroup="rbac.authorization.k8s.io", kind="ClusterRole", name="edit"),
            metadata=ObjectMeta(name="editors", namespace=namespace),
            subjects=[Subject("Group", "team-a-editors", apiGroup="rbac.authorization.k8s.io")],
        )
        client.create(binding)
        editor.create(value)
        with pytest.raises(ApiError) as error:
            list(editor.list(ConfigMap, namespace="default"))
        assert 'cannot list resource "configmaps" in API group "" in the namespace "default"' in refused(error)
        with pytest.raises(ApiError) as error:
            list(editor.list(ConfigMap, namespace="*"))
        assert refused(error).endswith("at the cluster scope")


def test_an_access_review_answers_as_the_server_decides(viewer: Any, namespace: str) -> None:

    def may(verb: str, resource: str, subresource: str = "") -> bool:
        attributes = {"verb": verb, "resource": resource, "namespace": namespace, "subresource": subresource}
        review = typed(SelfSubjectAccessReview, {"spec": {"resourceAttributes": attributes}})
        status = viewer.create(review).status
        assert status
        return status.allowed

    assert may("get", "pods") and may("get", "pods", "log")
    assert not may("delete", "pods") and not may("get", "secrets")


def test_without_a_token_of_ours_nobody_gets_an_answer(sandbox: Sandbox) -> None:
    said = sandbox.kubectl("get", "ns", "--token=wrong", code=1).stderr
    assert "You must be logged in to the server" in said

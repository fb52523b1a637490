"""Server-side apply: who owns a field, who gave it up, and who may take it."""

from typing import Any

import pytest
from lightkube import ApiError
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Secret
from lightkube.types import PatchType

from .manifests import config_map, deployment, each_of, typed


def apply(client: Any, value: dict[str, Any], manager: str, force: bool = False) -> Any:
    resource = {"ConfigMap": ConfigMap, "Deployment": Deployment}[value["kind"]]
    return client.apply(typed(resource, value), field_manager=manager, force=force)


def managers(value: Any) -> dict[str, str]:
    return {each.manager: each.operation for each in each_of(value.metadata.managedFields)}


def test_the_same_apply_again_changes_nothing(client: Any, namespace: str) -> None:
    first = apply(client, deployment(namespace), "one")
    client.wait(Deployment, "web", for_conditions=["Available"], namespace=namespace)
    before = client.get(Deployment, "web", namespace=namespace)
    again = apply(client, deployment(namespace), "one")
    assert before.metadata and again.metadata.resourceVersion == before.metadata.resourceVersion
    assert again.metadata.generation == first.metadata.generation == 1


def test_what_a_manager_applies_no_longer_is_removed_unless_another_owns_it(client: Any, namespace: str) -> None:
    apply(client, config_map(namespace, a="1", b="1", c="1"), "one")
    apply(client, config_map(namespace, b="1"), "two")
    left = apply(client, config_map(namespace, a="1"), "one")
    assert left.data == {"a": "1", "b": "1"}


def test_fields_of_others_conflict_each_by_manager_and_path(client: Any, namespace: str) -> None:
    apply(client, deployment(namespace), "one")
    client.patch(Deployment, "web", {"spec": {"replicas": 5}}, namespace=namespace, field_manager="two",
                 patch_type=PatchType.MERGE)  # fmt: skip
    wanted = deployment(namespace, replicas=3, image="registry.example/web:2.0")
    with pytest.raises(ApiError) as error:
        apply(client, wanted, "three")
    status = error.value.status
    assert (status.code, status.reason) == (409, "Conflict")
    assert status.details and status.details.causes
    causes = {each.field: each.message or "" for each in status.details.causes}
    assert set(causes) == {".spec.replicas", '.spec.template.spec.containers[name="web"].image'}
    assert causes[".spec.replicas"].startswith('conflict with "two" using apps/v1 at ')
    assert (status.message or "").startswith("Apply failed with 2 conflicts: conflicts with ")


def test_equal_values_are_shared_and_force_takes_the_others(client: Any, namespace: str) -> None:
    apply(client, config_map(namespace, a="1"), "one")
    shared = apply(client, config_map(namespace, a="1"), "two")
    assert managers(shared) == {"one": "Apply", "two": "Apply"}
    taken = apply(client, config_map(namespace, a="2"), "two", force=True)
    assert taken.data == {"a": "2"}
    assert managers(taken) == {"two": "Apply"}


def test_a_scale_owns_the_replicas_by_its_subresource(client: Any, namespace: str) -> None:
    apply(client, deployment(namespace), "one")
    client.patch(Deployment.Scale, "web", {"spec": {"replicas": 4}}, namespace=namespace, field_manager="scaler",
                 patch_type=PatchType.MERGE)  # fmt: skip
    with pytest.raises(ApiError) as error:
        apply(client, deployment(namespace), "one")
    assert 'conflict with "scaler" with subresource "scale" using apps/v1' in (error.value.status.message or "")


def test_a_secrets_plain_text_is_kept_as_data_only(client: Any, namespace: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace},
              "stringData": {"password": "x"}}  # fmt: skip
    for _ in range(2):
        made = client.apply(typed(Secret, secret), field_manager="one")
        assert made.data == {"password": "eA=="} and made.stringData is None

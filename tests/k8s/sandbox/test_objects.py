"""Objects over lightkube: conflicts, preconditions, pages, selectors, patches and dry runs."""

from typing import Any

import httpx2 as httpx
import pytest
from lightkube import ApiError, Client
from lightkube.generic_resource import create_namespaced_resource  # pyright: ignore  # partly untyped
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, Secret, Service
from lightkube.types import PatchType

from .manifests import config, deployment, typed


def refusal(error: pytest.ExceptionInfo[ApiError]) -> tuple[int | None, str | None, str]:
    status = error.value.status
    return status.code, status.reason, status.message or ""


def test_a_change_of_an_older_state_is_a_conflict(client: Any, namespace: str) -> None:
    first = client.create(config(namespace, "a", x="1"))
    client.patch(ConfigMap, "a", {"data": {"x": "2"}}, namespace=namespace)
    with pytest.raises(ApiError) as error:
        client.replace(first)
    assert refusal(error) == (
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to '
        "the latest version and try again",
    )


def test_what_exists_is_not_created_again_and_what_is_gone_not_found(client: Any, namespace: str) -> None:
    client.create(config(namespace, "a"))
    with pytest.raises(ApiError) as error:
        client.create(config(namespace, "a"))
    assert refusal(error)[:2] == (409, "AlreadyExists")
    client.delete(ConfigMap, "a", namespace=namespace)
    with pytest.raises(ApiError) as error:
        client.get(ConfigMap, "a", namespace=namespace)
    assert refusal(error) == (404, "NotFound", 'configmaps "a" not found')
    with pytest.raises(ApiError) as error:
        client.create(config("nowhere", "a"))
    assert refusal(error) == (404, "NotFound", 'namespaces "nowhere" not found')


def test_a_name_is_generated_and_a_bad_one_is_refused_with_the_rule(client: Any, namespace: str) -> None:
    made = client.create(ConfigMap(metadata=ObjectMeta(generateName="job-", namespace=namespace)))
    assert made.metadata and made.metadata.name and made.metadata.name.startswith("job-")
    with pytest.raises(ApiError) as error:
        client.create(Namespace(metadata=ObjectMeta(name="Team_A")))
    code, reason, message = refusal(error)
    assert (code, reason) == (422, "Invalid")
    assert message.startswith('Namespace "Team_A" is invalid: metadata.name: Invalid value: "Team_A": a lowercase RFC')
    assert error.value.status.details and error.value.status.details.causes
    assert error.value.status.details.causes[0].field == "metadata.name"


def test_what_is_missing_or_of_another_type_is_named(client: Any, namespace: str) -> None:
    bad = deployment(namespace)
    bad["spec"]["selector"]["matchLabels"] = {"app": "other"}
    with pytest.raises(ApiError) as error:
        client.create(typed(Deployment, bad))
    assert "`selector` does not match template `labels`" in refusal(error)[2]
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    del bad["spec"]["selector"]
    missing = raw(client).post(path, json=bad).json()
    assert missing["message"] == 'Deployment.apps "web" is invalid: spec.selector: Required value'
    wrong = raw(client).post(path, json={**bad, "spec": {"replicas": "two"}}).json()
    assert wrong["message"].endswith(
        "json: cannot unmarshal string into Go struct field Deployment.spec.replicas of type int32"
    )
    with pytest.raises(ApiError) as error:
        client.create(
            Pod(metadata=ObjectMeta(name="p", namespace=namespace), spec=PodSpec(containers=[Container("c")]))
        )
    assert refusal(error)[2] == 'Pod "p" is invalid: spec.containers[0].image: Required value'


def test_a_list_comes_in_pages_that_together_are_the_whole(client: Any, namespace: str) -> None:
    for number in range(7):
        client.create(config(namespace, f"c{number}"))
    names = [each.metadata.name for each in client.list(ConfigMap, namespace=namespace, chunk_size=3) if each.metadata]
    assert [name for name in names if name and name.startswith("c")] == [f"c{number}" for number in range(7)]


def test_labels_and_fields_select(client: Any, namespace: str) -> None:
    for name, labels in (("a", {"app": "x", "tier": "1"}), ("b", {"app": "y"}), ("c", {"app": "x"})):
        client.create(config(namespace, name, labels))

    def found(**selectors: Any) -> list[str | None]:
        return [
            each.metadata.name for each in client.list(ConfigMap, namespace=namespace, **selectors) if each.metadata
        ]

    assert found(labels={"app": "x"}) == ["a", "c"]
    assert found(labels={"app": ["x", "y"], "tier": None}) == ["a"]
    assert found(fields={"metadata.name": "b"}) == ["b"]
    with pytest.raises(ApiError) as error:
        found(fields={"data.x": "1"})
    assert refusal(error)[2] == 'field label not supported: "data.x"'


def test_patches_merge_as_their_types_say(client: Any, namespace: str) -> None:
    client.create(typed(Deployment, deployment(namespace)))
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "sidecar", "image": "proxy:1"}]}}}}
    strategic = client.patch(Deployment, "web", sidecar, namespace=namespace, patch_type=PatchType.STRATEGIC)
    assert images(strategic) == {"web": "registry.example/web:1.0", "sidecar": "proxy:1"}
    merged = client.patch(Deployment, "web", sidecar, namespace=namespace, patch_type=PatchType.MERGE)
    assert images(merged) == {"sidecar": "proxy:1"}
    operation = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "proxy:2"}]
    replaced = client.patch(Deployment, "web", operation, namespace=namespace, patch_type=PatchType.JSON)
    assert images(replaced) == {"sidecar": "proxy:2"}


def images(value: Deployment) -> dict[str, str | None]:
    assert value.spec and value.spec.template.spec
    return {each.name: each.image for each in value.spec.template.spec.containers}


def test_a_dry_run_answers_as_if_and_changes_nothing(client: Any, namespace: str) -> None:
    dry: Any
    with Client(client.config, field_manager="tests", dry_run=True) as dry:
        dry.create(config(namespace, "a"))
        assert not list(client.list(ConfigMap, namespace=namespace, fields={"metadata.name": "a"}))
        client.create(config(namespace, "a", x="1"))
        shown = dry.patch(ConfigMap, "a", {"data": {"x": "2"}}, namespace=namespace)
    assert shown.data == {"x": "2"}
    assert client.get(ConfigMap, "a", namespace=namespace).data == {"x": "1"}


def test_a_delete_of_another_uid_is_refused(client: Any, namespace: str) -> None:
    client.create(config(namespace, "a"))
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    refused = raw(client).request("DELETE", path, json={"preconditions": {"uid": "other"}})
    assert refused.status_code == 409
    assert "Precondition failed: UID in precondition: other" in refused.json()["message"]
    client.get(ConfigMap, "a", namespace=namespace)


def test_a_grace_period_that_is_no_number_is_a_bad_request(client: Any, namespace: str) -> None:
    client.create(config(namespace, "a"))
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    refused = raw(client).delete(path, params={"gracePeriodSeconds": "soon"})
    assert (refused.status_code, refused.json()["reason"]) == (400, "BadRequest")
    client.get(ConfigMap, "a", namespace=namespace)


def raw(client: Any) -> httpx.Client:
    """The HTTP client beneath, for what lightkube has no words for."""
    inner: httpx.Client = client._client._client  # there is no public way to it
    return inner


def test_services_secrets_and_generic_resources_are_filled_in(client: Any, namespace: str) -> None:
    service = typed(Service, {"metadata": {"name": "web", "namespace": namespace}, "spec": {"ports": [{"port": 80}]}})
    made = client.create(service)
    assert made.spec and made.spec.clusterIP and made.spec.ports and made.spec.ports[0].protocol == "TCP"
    secret = client.create(Secret(metadata=ObjectMeta(name="s", namespace=namespace), stringData={"a": "b"}))
    assert secret.data == {"a": "Yg=="} and secret.stringData is None
    generic = create_namespaced_resource("apps", "v1", "Deployment", "deployments")
    assert list(client.list(generic, namespace=namespace)) == []


def test_a_table_is_small_and_names_its_columns(client: Any, namespace: str) -> None:
    client.create(config(namespace, "a", x="1"))
    accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    for include, wanted in (("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "ConfigMap")):
        path = f"/api/v1/namespaces/{namespace}/configmaps?includeObject={include}&fieldSelector=metadata.name=a"
        table: Any = raw(client).get(path, headers=accept).json()
        assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Data", "Age"]
        (row,) = table["rows"]
        assert row["cells"][:2] == ["a", 1]
        assert (row["object"]["kind"] if row["object"] else None) == wanted

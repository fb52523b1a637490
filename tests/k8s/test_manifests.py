"""What is no manifest of one object is refused before anything is asked of a cluster, with what to do instead."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fastmcp import Client
from flotilla_k8s.server import create_server
from flotilla_k8s.settings import Settings
from support.owner_client import Owner

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
WRITTEN_BY_SERVERS = "  uid: 5c1\n  resourceVersion: '7'\n  managedFields: [{manager: x}]\n"

BAD = [
    ("", "is empty"),
    ("# nothing\n---\n", "is empty"),
    ("a: b: c", "not valid YAML at line 1, column 5"),
    ("a:\n\t- b", "not valid YAML at line 2"),
    ("a: 'never closed", "not valid YAML"),
    ("a: \x01", "characters that YAML does not allow"),
    (f"{GOOD}---\n{GOOD}", "line 10, column 1 begins a second document"),
    ("- one\n- two", "is a list"),
    ("only text", "is no object"),
    ("apiVersion: v1\nkind: List\nmetadata: {}\nitems: []", "holds several objects"),
    (BOMB, "grows to more than"),
    ("a: &a [*a]", "refers to an anchor that is not there"),
    (f"{GOOD}data: *missing", "refers to an anchor that is not there"),
    ("[" * 3000, "nested deeper"),
    ('{"a":' * 3000, "nested deeper"),
    (f"{GOOD}data: {{a: b, a: c}}", "there twice"),
    ('{"apiVersion": "v1", "kind": "ConfigMap", "kind": "Secret"}', "there twice"),
    (f"{GOOD}data: !!python/object/apply:os.system [id]", "has a tag"),
    (f"{GOOD}data: !custom x", "has a tag"),
    (f"{GOOD}data: {{1: one}}", "key that is not a text"),
    (f"{GOOD}size: .inf", "no number of JSON"),
    (GOOD.replace("apiVersion: v1\n", ""), "has no apiVersion"),
    (GOOD.replace("v1", "one"), "apiVersion is none"),
    (GOOD.replace("kind: ConfigMap\n", ""), "has no kind"),
    (GOOD.replace("ConfigMap", "config map"), "kind is none"),
    ("apiVersion: v1\nkind: ConfigMap", "has no metadata"),
    (GOOD.replace("name: settings", "labels: {}"), "has no metadata.name"),
    (GOOD.replace("name:", "generateName:"), "generateName"),
    (GOOD.replace("settings", "My_Settings"), "no name that a ConfigMap may have"),
    (GOOD.replace("settings", "8"), "metadata.name is no text"),
    (f"{GOOD}  namespace: Team_A", "no name of a namespace"),
    (f"{GOOD}  labels: {{on-call: true}}", "labels[on-call] is no text"),
    (f"{GOOD}  labels: {{team: 'a b'}}", "no value that a label may have"),
    (f"{GOOD}  labels: {{'a b': c}}", "no key that Kubernetes allows"),
    (f"{GOOD}  annotations: {{flotilla.dev/effect: x}}", "not for manifests"),
    (f"{GOOD}{WRITTEN_BY_SERVERS}status: {{phase: x}}", "metadata.uid, metadata.resourceVersion"),
    (f"{GOOD}  ownerReferences: [{{kind: Pod, name: x}}]", "gives the object an owner"),
    ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: quokka7391}", "values of a Secret"),
    (GOOD + "data:\n" + f"  text: {'x' * 210_000}", "200000 is the most"),
]
"""A text, and what is said of it."""

Server = Owner[Settings]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Server]:
    """A server without a cluster: what it refuses here it refuses before it asks one."""
    settings = Settings.load({"home": tmp_path, "kubeconfig": tmp_path / "none"})
    async with Client(create_server(settings)) as client:
        yield Owner(client, settings)


async def test_what_is_no_manifest_of_one_object_is_refused_with_a_suggestion(server: Server) -> None:
    for text, said in BAD:
        answer = await server.call("apply_manifest", manifest=text, idempotency_key="k")
        assert answer["code"] == "invalid_manifest" and said in answer["message"], (text[:80], answer)
        assert answer["suggestion"] and "quokka7391" not in str(answer), (text[:80], answer)


async def test_five_megabytes_are_refused_with_a_suggestion(server: Server) -> None:
    answer = await server.call("apply_manifest", manifest=f"{GOOD}data: {{a: {'x' * 5_000_000}}}", idempotency_key="k")
    assert answer["code"] in ("invalid_manifest", "invalid_arguments") and answer["suggestion"], answer


async def test_an_error_says_the_line_and_column(server: Server) -> None:
    answer = await server.call("apply_manifest", manifest=f"{GOOD}data:\n  a: [1, 2\n", idempotency_key="k")
    assert set(answer["details"]) == {"line", "column"} and answer["details"]["line"] == 7

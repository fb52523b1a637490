"""Starting a run from a form that is made of the playbook's inputs."""

import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.config_folder import Folder
from support.console import Browser, browser
from support.service import Desk, desk

INPUTS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["customer_id", "kind"],
    "properties": {
        "customer_id": {"type": "string", "pattern": "^cust_[0-9]+$", "description": "who <b>complains</b>"},
        "kind": {"enum": ["refund", "question", 3]},
        "amount": {"type": "integer", "minimum": 1, "default": 5},
        "rate": {"type": "number"},
        "urgent": {"type": "boolean"},
        "notes": {"type": "string", "maxLength": 500},
        "contacts": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
}
RIGHT = {
    "task": "Do it.\r\nNow.",
    "model": "rehearsal",
    "key": "k1",
    "input.customer_id": "cust_1",
    "input.kind": '"refund"',
    "input.amount": "7",
    "input.rate": "2.5",
    "input.urgent": "false",
    "input.notes": " as typed ",
    "input.contacts": '[{"name": "Ada"}]',
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncGenerator[Desk]:
    folder = Folder(tmp_path / "configs")
    playbook = {"name": "case", "description": "A case.", "lead": "lead", "output": {"type": "object"}}
    folder.write("playbooks/case.yaml", yaml.safe_dump({**playbook, "inputs": INPUTS}, sort_keys=False))
    async with desk(tmp_path, configs=folder.path) as found:
        yield found


@pytest.fixture
async def person(api: Desk) -> AsyncGenerator[Browser]:
    async with browser(api, api.token("maya", "run", "read")) as found:
        await found.get("/start/case")
        yield found


async def runs_of(api: Desk) -> list[dict[str, Any]]:
    ben = api.token("ben", "read")
    listed = (await api.client.get("/v1/runs", headers=ben)).json()["items"]
    return [(await api.client.get(f"/v1/runs/{run['run_id']}", headers=ben)).json() for run in listed]


async def test_a_field_stands_for_each_input_and_says_what_it_is(person: Browser) -> None:
    assert person.page
    page = person.page.text
    assert re.findall(r'<(\w+) id="(input\.\w+)"', page) == [
        ("input", "input.customer_id"),
        ("select", "input.kind"),
        ("input", "input.amount"),
        ("input", "input.rate"),
        ("select", "input.urgent"),
        ("textarea", "input.notes"),
        ("textarea", "input.contacts"),
    ]
    assert "who &lt;b&gt;complains&lt;/b&gt;" in page
    assert 'name="input.amount" inputmode="numeric" value="5"' in page
    for name in INPUTS["properties"]:
        assert f'<label for="input.{name}">' in page


async def test_what_was_typed_becomes_the_inputs_of_the_run(api: Desk, person: Browser) -> None:
    answer = await person.post("/start/case", RIGHT)
    assert answer.status_code == 303
    (run,) = await runs_of(api)
    assert answer.headers["location"] == f"/console/runs/{run['run_id']}"
    assert run["task"] == "Do it.\nNow."
    assert run["requested_by"] == "maya"
    assert run["inputs"] == {
        "customer_id": "cust_1",
        "kind": "refund",
        "amount": 7,
        "rate": 2.5,
        "urgent": False,
        "notes": " as typed ",
        "contacts": [{"name": "Ada"}],
    }


async def test_what_is_left_empty_is_not_given(api: Desk, person: Browser) -> None:
    given = {name: value if name in ("task", "model", "input.customer_id") else "" for name, value in RIGHT.items()}
    assert (await person.post("/start/case", {**given, "input.kind": "3"})).status_code == 303
    (run,) = await runs_of(api)
    assert run["inputs"] == {"customer_id": "cust_1", "kind": 3}


async def test_a_form_that_is_sent_twice_starts_one_run(api: Desk, person: Browser) -> None:
    key = person.hidden("key")
    places = {
        (await person.post("/start/case", {**RIGHT, "key": key})).headers["location"]
        for _ in range(2)
        if await person.get("/start/case")
    }
    assert len(places) == len(await runs_of(api)) == 1
    await person.get("/start/case")
    other = await person.post("/start/case", {**RIGHT, "key": key, "input.amount": "8"})
    assert (other.status_code, "started a run already" in other.text) == (409, True)
    assert person.hidden("key") != key, "sent again, it is another one"


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("task", "  ", "Is required."),
        ("input.customer_id", "", "Is required."),
        ("input.customer_id", "<script>", "Has to match ^cust_[0-9]+$."),
        ("input.kind", "other", "Has to be one of the choices."),
        ("input.amount", "seven", "Has to be a whole number."),
        ("input.amount", "0", "Has to be at least 1."),
        ("input.rate", "NaN", "Has to be a number."),
        ("input.urgent", "maybe", "Has to be one of the choices."),
        ("input.contacts", "[", "Is not JSON"),
        ("input.contacts", "[{}]", "0: 'name' is a required property"),
    ],
)
async def test_what_is_not_right_is_told_beside_its_field_and_stays(
    api: Desk, person: Browser, name: str, typed: str, said: str
) -> None:
    answer = await person.post("/start/case", {**RIGHT, name: typed})
    assert answer.status_code == 422
    field = name.removeprefix("input.")
    (beside,) = re.findall(rf'<p class="wrong" id="{field}-wrong">([^<]*)</p>', answer.text)
    assert said in beside.replace("&#39;", "'").replace("&#34;", '"')
    assert re.search(
        rf'id="{re.escape(name)}"[^>]*aria-describedby="[^"]*{field}-wrong"[^>]*aria-invalid="true"', answer.text
    )
    assert "<script>" not in answer.text
    for other, value in RIGHT.items():
        if other not in (name, "model", "input.kind", "input.urgent"):
            shown = value.replace("\r\n", "\n").replace('"', "&#34;")
            assert shown in answer.text, other
    assert await runs_of(api) == []
    fixed = await person.post("/start/case", RIGHT)
    assert fixed.status_code == 303


async def test_a_refusal_of_the_service_is_told_and_the_form_stays(api: Desk, person: Browser) -> None:
    answer = await person.post("/start/case", {**RIGHT, "model": "claude"})
    assert (answer.status_code, "no_credential" in answer.text) == (409, True)
    assert "cust_1" in answer.text
    assert (await person.post("/start/case", {**RIGHT, "task": "a\0b"})).status_code in (400, 422)
    assert await runs_of(api) == []
    assert json.dumps("refund").replace('"', "&#34;") + '" selected' in answer.text

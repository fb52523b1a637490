"""A run recorded as a script, and the script played: the same calls, and none of the secrets."""

import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from flotilla_orchestrator.cli.recording import message_listener
from flotilla_orchestrator.sessions.session import run_session
from flotilla_orchestrator.sessions.types import SessionResult
from flotilla_rehearsal import template
from flotilla_rehearsal.ids import IdSources
from flotilla_rehearsal.recorder import Recorder, RecordingError
from flotilla_rehearsal.script import load
from flotilla_rehearsal.secret_filter import SecretFilter
from flotilla_rehearsal.server import Rehearsal
from support.commands import flotilla
from support.desk import GRANTED, Desk, running_desk
from support.sessions import Heard, scripted, session

pytestmark = [pytest.mark.cli_double, pytest.mark.usefixtures("forked_servers")]

CONFIGS = Path(__file__).parents[2] / "configs"
FRESH = re.compile(r"\b(?:rf|mem|ep)_\w+")
SCHEMA = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}
KEY = "sk-ant-api03-" + "Abc123def456" * 4
CARD, MAIL = "4242 4242 4242 4242", "ada.l@example.org"
JWT = "eyJhbGciOiJFZERTQSJ9." + "eyJzdWIiOiJ3b3JrZXIifQ." + "c2lnbmF0dXJl"


def calls(home: Path) -> list[tuple[str, str, str]]:
    """Every call of the last run's agents: by whom, to what, with what; ids that are new in each run are left out."""
    spans = json.loads(flotilla(home, "trace", "--json").stdout)["spans"]
    names = {span["span_id"]: span["name"] for span in spans}
    found = [
        (names[span["parent_id"]], span["name"], FRESH.sub("id", json.dumps(span["attributes"]["arguments"])))
        for span in spans
        if span["kind"] in ("tool", "delegate") and "after" not in span["attributes"]
    ]
    return sorted(found)  # parallel ones in whatever order


def test_the_recorded_demo_replays_on_a_fresh_store_with_the_same_calls_and_outcome(tmp_path: Path) -> None:
    file, homes = tmp_path / "recording.yaml", (tmp_path / "one", tmp_path / "two")
    command = ["demo", "--configs", CONFIGS, "--json"]
    first = json.loads(flotilla(homes[0], *command, "--record", file).stdout)
    again = json.loads(flotilla(homes[1], *command, "--script", file).stdout)
    assert first["recording"] == f"{file} (removed: nothing)"
    assert calls(homes[0]) == calls(homes[1])
    outcomes = [json.loads(FRESH.sub("id", json.dumps(record["output"]))) for record in (first, again)]
    assert outcomes[0] == outcomes[1]
    refunds = [record["output"]["refund_id"] for record in (first, again)]
    assert refunds[0] != refunds[1], "an id that a tool gave is looked up in its answer"
    assert refunds[0] not in file.read_text()
    assert refunds[1] in again["output"]["customer_email"]
    assert file.stat().st_mode & 0o077 == 0


def test_a_recording_never_replaces_a_file_and_needs_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "here.yaml"
    file.write_text("mine")
    for given in (file, tmp_path / "nowhere" / "x.yaml"):
        done = flotilla(tmp_path, "demo", "--configs", CONFIGS, "--record", given, "--json")
        assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "bad_record_file")
    assert file.read_text() == "mine"
    assert not (tmp_path / "journal.db").exists()


def test_a_script_is_played_only_by_a_rehearsal(tmp_path: Path) -> None:
    done = flotilla(tmp_path, "run", "billing-dispute", "x", "--configs", CONFIGS, "--script", "x.yaml",
                    "--input", "customer_id=cust_12345")  # fmt: skip
    assert done.returncode == 2
    assert "Add --rehearse" in done.stderr


class Played(NamedTuple):
    result: SessionResult
    calls: list[tuple[str, Mapping[str, Any]]]


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with running_desk() as desk:
        yield desk


async def record(
    desk: Desk,
    file: Path,
    tasks: Sequence[str],
    turns: Sequence[Mapping[str, Any]],
    values: Sequence[str] = (),
    **changes: Any,
) -> list[Played]:
    """A session for each task that gives these answers, recorded together."""
    recorder = Recorder(file, SecretFilter(values))
    ended = [
        await play(desk, file.parent, scripted(*turns), task, on_message=message_listener(recorder), **changes)
        for task in tasks
    ]
    recorder.write("test", "a test")
    return ended


async def play(desk: Desk, folder: Path, rehearsal: Rehearsal, task: str, **changes: Any) -> Played:
    desk.calls.clear()
    async with rehearsal:
        made = session(rehearsal, folder, desk, prompt=task, **changes)
        return Played(await run_session(made, Heard()), list(desk.calls))


def turns(file: Path) -> list[dict[str, Any]]:
    """Those of the only script in the file."""
    (script,) = yaml.safe_load(file.read_text())["agents"]["worker"]
    assert "when" not in script
    return script["turns"]


LOOK = {"call": GRANTED, "arguments": {"customer_id": "{{ task | regex('[a-z]+_\\w+') }}"}}
TELL = {"say": "It is {{ results.find_charge.charge_id }} of 4900."}


async def test_each_session_of_an_agent_is_recognised_by_how_its_task_begins(tmp_path: Path, desk: Desk) -> None:
    file = tmp_path / "recording.yaml"
    tasks = [
        "Look at cust_1.",
        "Look at cust_1. And now",
        "Look at cust_2.",
        "Look at c u_3.",
        "Other: cust_4",
        "Other: cust_4",
    ]
    first = await record(desk, file, tasks, [LOOK, TELL])
    scripts = load(file)
    assert len(scripts.agents["worker"]) == 5, "the same task has the same script"
    for task, before in zip(tasks, first, strict=True):
        again = await play(desk, tmp_path, Rehearsal(scripts), task)
        assert (again.result.text, again.calls) == (before.result.text, before.calls)


@pytest.mark.real_cli
async def test_an_id_is_templated_where_it_came_from_and_anything_else_is_literal(tmp_path: Path, desk: Desk) -> None:
    file = tmp_path / "recording.yaml"
    await record(desk, file, ["Look at cust_1."], [LOOK, TELL])
    look, tell = turns(file)
    assert look["arguments"] == {"customer_id": '{{ task | regex("\\bcust_[\\w-]*\\w") }}'}
    assert tell["say"] == "It is {{ results.find_charge.charge_id }} of 4900."
    again = await play(desk, tmp_path, Rehearsal(load(file)), "Look at cust_77.")
    assert again.calls == [("find_charge", {"customer_id": "cust_77"})]
    assert again.result.text == "It is ch_cust_77 of 4900."


async def test_secrets_are_in_no_part_of_a_recording(tmp_path: Path, desk: Desk) -> None:
    file = tmp_path / "recording.yaml"
    say = f"Key {KEY}, card {CARD}, Bearer abcdefgh12345678, token {JWT}, mail {MAIL}, https://u:hunter22@x.example/"
    secret = {"call": GRANTED, "id": "again", "arguments": {"customer_id": f"planted-value and {MAIL}"}}
    wrong = {"call": GRANTED, "id": "wrong", "arguments": {"password": "letmein", KEY: 1}}
    await record(desk, file, [f"Look at cust_1, {MAIL}."], [LOOK, secret, wrong, {"say": say}], ["planted-value"])
    text = file.read_text()
    for planted in (KEY, CARD, CARD[5:], JWT, MAIL, "abcdefgh12345678", "hunter22", "letmein", "planted-value"):
        assert planted not in text
    for kind in ("api_key", "card", "jwt", "bearer", "password", "named", "variable"):
        assert f"[removed:{kind}]" in text
    again = await play(desk, tmp_path, Rehearsal(load(file)), f"Look at cust_1, {MAIL}.")
    assert again.calls[1] == ("find_charge", {"customer_id": f"[removed:variable] and {MAIL}"})
    assert again.result.text.endswith(f"mail {MAIL}, https://[removed:password]@x.example/")


def test_values_of_secret_variables_are_removed_from_a_command_s_recording(tmp_path: Path) -> None:
    file = tmp_path / "recording.yaml"
    complaint = f"Charged twice, wrote to {MAIL} with tangerine-7 before."
    command = ["run", "billing-dispute", complaint, "--input", "customer_id=cust_1", "--configs", CONFIGS, "--rehearse"]
    planted = {"SHOP_API_TOKEN": "tangerine-7"}
    done = flotilla(tmp_path / "one", *command, "--record", file, environment=planted)
    assert "removed: variable 1" in " ".join(done.stdout.split())
    assert "tangerine-7" not in file.read_text()
    assert MAIL not in file.read_text(), "it is looked up in the task"
    flotilla(tmp_path / "two", *command, "--script", file, environment=planted)
    recorded, replayed = calls(tmp_path / "one"), calls(tmp_path / "two")
    assert [(*call[:2], call[2].replace("tangerine-7", "[removed:variable]")) for call in recorded] == replayed


@pytest.mark.parametrize("number", ["4242 4242 4242 4243", "1234567890123", "2026-11-21 09:14:03.123"])
def test_a_number_that_is_no_card_stays(number: str) -> None:
    assert SecretFilter().without_secrets(f"It is {number}.") == f"It is {number}."


@pytest.mark.real_cli
async def test_an_answer_that_was_cut_off_is_one_with_what_followed(tmp_path: Path, desk: Desk) -> None:
    file = tmp_path / "recording.yaml"
    cut = {"say": "First ", "call": GRANTED, "arguments": {"customer_id": "x"}, "misbehave": "truncated", "times": 1}
    await record(desk, file, ["Look."], [cut, {"say": "half."}])
    assert turns(file) == [{"say": "First half."}]


async def test_a_result_is_recorded_with_the_attempts_before_it(tmp_path: Path, desk: Desk) -> None:
    file = tmp_path / "recording.yaml"
    given = [{"say": "Done."}, {"result": {"answers": 1}}, {"result": {"answer": "yes"}}]
    (first,) = await record(desk, file, ["Look."], given, output_schema=SCHEMA)
    assert turns(file) == given
    again = await play(desk, tmp_path, Rehearsal(load(file)), "Look.", output_schema=SCHEMA)
    assert again.result.structured == first.result.structured == {"answer": "yes"}


@pytest.mark.real_cli
async def test_a_failed_call_and_one_that_is_not_on_offer_are_recorded(tmp_path: Path, desk: Desk) -> None:
    file = tmp_path / "recording.yaml"
    wrong: dict[str, Any] = {"call": GRANTED, "arguments": {}}
    unknown = {"call": "mcp__desk__no-such-tool", "arguments": {"at": 1}}
    await record(desk, file, ["Look."], [wrong, unknown, {"say": "No."}])
    assert turns(file) == [wrong, unknown | {"id": "no_such_tool"}, {"say": "No."}]


async def test_nothing_said_is_no_recording(tmp_path: Path, desk: Desk) -> None:
    file = tmp_path / "recording.yaml"
    await record(desk, file, ["Look."], [{"misbehave": 500}])
    assert not file.exists()


RESULTS: dict[str, Any] = {"page": {"items": [{"id": "in_7", "note": "see rf_1a and rf_2b"}], "if": {"x-y": "k_9"}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in_7", "{{ results.page.items[0].id }}"),
        (" in_7 ", " in_7 "),
        ("of in_7.", "of {{ results.page.items[0].id }}."),
        ("rf_1a", '{{ results.page.items[0].note | regex("\\brf_[\\w-]*\\w") }}'),
        ("rf_2b, k_9 and no_refund", "rf_2b, k_9 and no_refund"),
        ("for t_3", 'for {{ task | regex("\\bt_[\\w-]*\\w") }}'),
        ("{in_7}", "{{ '{' }}{{ results.page.items[0].id }}}"),
        ("{{ task }} {% if %} {# x #} {", "{{ '{' }}{ task }} {{ '{' }}% if %} {{ '{' }}# x #} {{ '{' }}"),
        ("a\nb in_7\n", "a\nb {{ results.page.items[0].id }}\n"),
    ],
)
def test_a_template_renders_to_the_text_it_was_made_of(text: str, expected: str) -> None:
    sources = IdSources("Case t_3.")
    sources.add("results.page", RESULTS["page"])
    assert sources.as_template(text) == expected
    assert template.render(expected, {"task": "Case t_3.", "results": RESULTS}) == text


def test_a_recorder_that_cannot_write_says_so_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="There is no folder"):
        Recorder(tmp_path / "no" / "x.yaml", SecretFilter())

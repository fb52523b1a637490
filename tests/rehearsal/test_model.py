"""Which turn answers which history, and with what."""

import re
from collections.abc import Mapping

import pytest
from flotilla_rehearsal.messages_api import MessagesRequest, Text, ToolUse
from flotilla_rehearsal.script import Script, ScriptError
from flotilla_rehearsal.scripted_model import answer_content, next_turn
from pydantic import JsonValue

Messages = list[dict[str, JsonValue]]
TASK: dict[str, JsonValue] = {"role": "user", "content": "Look at cust_1."}


def scripts(*turns: Mapping[str, object], when: str | None = None) -> tuple[Script, ...]:
    return (Script.model_validate({"when": when, "turns": turns}),)


def answer(played: tuple[Script, ...], messages: Messages, *tools: str) -> list[Text | ToolUse]:
    request = MessagesRequest.model_validate({"messages": messages, "tools": [{"name": name} for name in tools]})
    return answer_content(next_turn(played, request), request)


def said(played: tuple[Script, ...], messages: Messages) -> str:
    (block,) = answer(played, messages)
    assert isinstance(block, Text)
    return block.text


def calls(*ids: str) -> dict[str, JsonValue]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "t", "input": {}} for id in ids]}


def results(failed: bool = False, **contents: JsonValue) -> dict[str, JsonValue]:
    blocks: list[JsonValue] = [
        {"type": "tool_result", "tool_use_id": id, "content": content, "is_error": failed}
        for id, content in contents.items()
    ]
    return {"role": "user", "content": blocks}


def test_the_history_says_which_turn_is_next() -> None:
    played = scripts({"call": "t"}, {"say": "one"}, {"say": "two"})
    history = [TASK, calls("toolu_00a"), results(toolu_00a="ok")]
    assert said(played, history) == "one"
    assert said(played, [*history, {"role": "assistant", "content": "one"}, TASK]) == "two"


def test_a_result_is_its_json_or_its_text() -> None:
    played = scripts(
        {"calls": [{"call": "t", "id": "a"}, {"call": "t", "id": "b"}]}, {"result": {"got": "{{ results }}"}}
    )
    history = [
        TASK,
        calls("toolu_00x", "toolu_01y"),
        # Results can come in any order, and a result's content as text or as blocks.
        results(toolu_01y=[{"type": "text", "text": "not {json"}], toolu_00x='{"items": [1]}'),
    ]
    (block,) = answer(played, history, "StructuredOutput")
    assert isinstance(block, ToolUse)
    assert (block.name, block.input) == ("StructuredOutput", {"got": {"a": {"items": [1]}, "b": "not {json"}})


def test_a_call_dropped_from_the_history_leaves_the_others_their_results() -> None:
    played = scripts(
        {"calls": [{"call": "t", "id": "a"}, {"call": "t", "id": "b"}]},
        {"say": "{{ results.b }} {{ results.a is defined }}"},
    )
    assert said(played, [TASK, calls("toolu_01y"), results(toolu_01y="second")]) == "second False"


def test_a_failed_call_is_an_error_until_it_succeeds() -> None:
    played = scripts({"call": "t"}, {"call": "t"}, {"say": "{{ errors }} {{ results }} {{ last }}"})
    failed = [TASK, calls("toolu_00a"), results(failed=True, toolu_00a='{"code": "busy"}')]
    assert said(scripts({"call": "t"}, {"say": "{{ errors.t.code }} {{ last.code }}"}), failed) == "busy busy"
    assert said(played, [*failed, calls("toolu_00b"), results(toolu_00b="ok")]) == "{} {'t': 'ok'} ok"


def test_a_turn_whose_condition_is_falsy_is_skipped_also_in_replay() -> None:
    played = scripts(
        {"call": "t"},
        {"if": "{{ results.t.items }}", "call": "u"},
        {"if": "{{ results.u is defined }}", "say": "with u"},
        {"say": "without u"},
    )
    empty = [TASK, calls("toolu_00a"), results(toolu_00a='{"items": []}')]
    some = [TASK, calls("toolu_00a"), results(toolu_00a='{"items": [1]}')]
    assert said(played, empty) == "without u"
    assert said(played, [*some, calls("toolu_00b"), results(toolu_00b="1")]) == "with u"


def test_the_first_script_that_matches_the_task_is_played() -> None:
    played = scripts({"say": "ledger"}, when="CUST_[0-9]") + scripts({"say": "other"})
    assert said(played, [TASK]) == "ledger"
    assert said(played, [{"role": "user", "content": "Write."}]) == "other"


def test_the_task_leaves_out_reminders_and_system_messages() -> None:
    blocks: list[JsonValue] = [
        {"type": "text", "text": "<system-reminder>today</system-reminder>"},
        {"type": "text", "text": "Hello."},
    ]
    history: Messages = [{"role": "system", "content": "x"}, {"role": "user", "content": blocks}]
    assert said(scripts({"say": "{{ task }}"}), history) == "Hello."


def test_call_ids_differ_between_answers() -> None:
    # Servers use the tool-use id as an idempotency key: two sessions must never share one.
    played = scripts({"call": "t"})
    (one,), (other,) = answer(played, [TASK]), answer(played, [TASK])
    assert isinstance(one, ToolUse) and isinstance(other, ToolUse)
    assert one.id != other.id
    assert re.fullmatch(r"toolu_[0-9a-f]{24}", one.id)


def test_a_result_nobody_asked_for_is_said_as_json() -> None:
    assert said(scripts({"result": {"n": "{{ 1 + 1 }}"}}), [TASK]) == '{"n": 2}'


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([{"say": "{{ results.t }}"}], "turn 1: template"),
        ([{"if": "{{ results.t }}", "say": "x"}], "turn 1: template"),
        ([{"if": "{{ false }}", "say": "x"}], "run out of turns"),
        ([{"result": "{{ task }}"}], 'turn 1: `result` yields "Look at cust_1.", not an object'),
    ],
)
def test_a_script_that_cannot_go_on_says_why(turns: list[dict[str, object]], message: str) -> None:
    with pytest.raises(ScriptError, match=re.escape(message)):
        answer(scripts(*turns), [TASK])


def test_a_task_without_a_script_is_named() -> None:
    with pytest.raises(ScriptError, match=r"matches the task 'Look at cust_1\.'"):
        answer(scripts({"say": "x"}, when="policy"), [TASK])


RETRIED = {"calls": [{"call": "t", "id": "a"}, {"call": "u", "id": "b"}], "say": "Both.", "retries": 2}
AGAIN = '{"code": "store_unavailable", "retryable": true}'


def names(blocks: list[Text | ToolUse]) -> list[str]:
    return [block.name if isinstance(block, ToolUse) else block.text for block in blocks]


@pytest.mark.parametrize("error", [AGAIN, "ECONNRESET: The socket connection was closed unexpectedly."])
def test_the_calls_of_a_turn_that_may_be_retried_are_made_again_and_no_others(error: str) -> None:
    played = scripts(RETRIED, {"say": "{{ results.a }} {{ results.b }} {{ errors }}"})
    both = [results(toolu_00x="found"), results(failed=True, toolu_01y=error)]
    history = [TASK, calls("toolu_00x", "toolu_01y"), *both]
    assert names(answer(played, history)) == ["u"]
    history += [calls("toolu_00z"), results(toolu_00z="found, too")]
    assert said(played, history) == "found found, too {}"


def test_a_turn_is_retried_as_often_as_it_says() -> None:
    played = scripts({"call": "t", "retries": 2}, {"say": "{{ errors.t.code }}"})
    history = [TASK, calls("toolu_00a"), results(failed=True, toolu_00a=AGAIN)]
    for number in ("b", "c"):
        assert names(answer(played, history)) == ["t"]
        history += [calls(f"toolu_00{number}"), results(True, **{f"toolu_00{number}": AGAIN})]
    assert said(played, history) == "store_unavailable"


@pytest.mark.parametrize("error", ['{"code": "not_found", "retryable": false}', "No such tool available: t"])
def test_what_a_tool_refuses_is_not_retried(error: str) -> None:
    played = scripts({"call": "t", "retries": 2}, {"say": "refused"})
    assert said(played, [TASK, calls("toolu_00a"), results(failed=True, toolu_00a=error)]) == "refused"

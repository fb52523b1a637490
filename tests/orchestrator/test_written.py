"""A run's result as people read it."""

import pytest
from flotilla_orchestrator.views.values import value_text
from pydantic import JsonValue


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        ([], "—"),
        ({}, "—"),
        (True, "yes"),
        (82.5, "82.5"),
        ("a letter\nof two lines", "a letter\nof two lines"),
        (["one thing", 2], "- one thing\n- 2"),
        ({"due_on": None, "record_ids": ["a_1", "a_2"], "parts": []}, "due on: —\nrecord ids: a_1, a_2\nparts: —"),
        (
            [{"action": "Call them", "draft": "Dear A,\nhello"}, {"action": "Wait", "draft": None}],
            "- action: Call them\n  draft:\n    Dear A,\n    hello\n- action: Wait\n  draft: —",
        ),
    ],
)
def test_values_are_written_as_text(value: JsonValue, text: str) -> None:
    assert value_text(value) == text

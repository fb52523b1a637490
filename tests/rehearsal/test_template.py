from collections.abc import Mapping

import pytest
from flotilla_rehearsal.template import TemplateError, check, render
from pydantic import JsonValue

PAGE: JsonValue = {"items": [{"id": "a", "amount_minor": 4900}, {"id": "b", "amount_minor": 100}], "count": 2}
CONTEXT: Mapping[str, JsonValue] = {"page": PAGE, "task": "Refund cust_42, {{ task }}", "none": None}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ page }}", PAGE),
        ("{{ page.items }}", [{"id": "a", "amount_minor": 4900}, {"id": "b", "amount_minor": 100}]),
        ("{{ page.items[0].amount_minor }}", 4900),
        ("{{ -1 }}", -1),
        ("{{- page.count -}}", 2),
        ("\n  {{ page.count > 1 }}\n", True),
        ("{{ none }}", None),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("{{ '}}' }}", "}}"),
        ("{{ page.items | map(attribute='id') }}", ["a", "b"]),
        ("{{ page.nothing | default([]) }}", []),
    ],
)
def test_a_lone_expression_keeps_its_value(template: str, value: JsonValue) -> None:
    rendered = render(template, CONTEXT)
    assert rendered == value
    assert type(rendered) is type(value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain {text}", "plain {text}"),
        ("{{ page.count }} of {{ page.count }}", "2 of 2"),
        ("{{ page.count }}{{ page.count }}", "22"),
        ("{# why #}{{ page.count }}", "2"),
        ("{% for item in page.items %}{{ item.id }}{% endfor %}", "ab"),
        ("{{ '%.2f' | format(page.items[0].amount_minor / 100) }} EUR", "49.00 EUR"),
    ],
)
def test_any_other_string_renders_to_text(template: str, text: str) -> None:
    assert render(template, CONTEXT) == text


def test_what_data_says_is_never_rendered() -> None:
    assert render("{{ task }}", CONTEXT) == "Refund cust_42, {{ task }}"
    assert render("> {{ task }}", CONTEXT) == "> Refund cust_42, {{ task }}"


def test_strings_are_rendered_however_deep_and_keys_are_not() -> None:
    assert render({"{{ x }}": [{"n": "{{ page.count }}"}, 7]}, CONTEXT) == {"{{ x }}": [{"n": 2}, 7]}


def test_json_in_a_text_is_a_value_again() -> None:
    text = render("Page: {{ page | tojson }}", CONTEXT)
    assert render("{{ text | regex('Page: (.+)') | from_json }}", {"text": text}) == PAGE
    with pytest.raises(TemplateError, match="from_json"):
        render("{{ task | from_json }}", CONTEXT)


def test_regex_yields_the_group_or_the_whole_match() -> None:
    assert render("{{ task | regex('CUST_[0-9]+') }}", CONTEXT) == "cust_42"
    assert render("{{ task | regex('cust_([0-9]+)') }}", CONTEXT) == "42"


@pytest.mark.parametrize(
    ("template", "value"),
    [
        (r"{{ task | regex('\bcust_(\d+)\b') }}", "42"),
        (r"is {{ task | regex('(\w)\w+ \S+') }} \d", r"is R \d"),
        (r"{{ ['a', 'b'] | join('\n') }}", "a\nb"),
        (r"{{ 'it\'s a \\' }}", "it's a \\"),
    ],
)
def test_a_backslash_in_a_literal_stays_unless_it_escapes(template: str, value: str) -> None:
    assert render(template, CONTEXT) == value


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ pge.count }}", "'pge' is undefined"),
        ("{{ page.cuont }}", "no attribute 'cuont'"),
        ("{{ [page.cuont] }}", "no attribute 'cuont'"),
        ("{{ page.items[9].id }}", "no element 9"),
        ("{{ task | regex('inv_[0-9]+') }}", "no match of 'inv_[0-9]+' in 'Refund cust_42"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ task.__class__.__mro__ }}", "unsafe"),
        ("{{ page.items.append(1) }}", "unsafe"),
        ("{{ task.upper }}", "not data"),
        ("{{ range(10 ** 9) | list }}", "Range too big"),
    ],
)
def test_a_failure_names_the_template_and_the_reason(template: str, reason: str) -> None:
    check(template)
    with pytest.raises(TemplateError) as error:
        render({"deep": [template]}, CONTEXT)
    assert repr(template) in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize("template", ["{{ page", "{{ a b }}", "{% if %}", "{{ page | nope }}"])
def test_check_refuses_what_does_not_parse(template: str) -> None:
    with pytest.raises(TemplateError, match="template "):
        check({"deep": [template]})

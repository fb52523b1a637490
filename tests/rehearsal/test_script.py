from pathlib import Path

import pytest
from flotilla_rehearsal.script import ScriptError, load

HEAD = "name: test\nagents:\n  worker:\n    - turns:\n"


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "script.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScriptError) as error:
        load(file)
    return [line.removeprefix(f"{file}") for line in str(error.value).splitlines()]


def test_a_script_loads_with_its_defaults(tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(HEAD + "        - call: mcp__billing__find_transactions\n")
    (turn,) = load(file).agents["worker"][0].turns
    (call,) = turn.tool_calls
    assert (call.key, call.arguments) == ("find_transactions", {})


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "rehearsal.md").read_text(encoding="utf-8")
    file = tmp_path / "script.yaml"
    file.write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert list(load(file).agents) == ["case-manager", "researcher"]


def test_every_problem_is_reported_with_its_line(tmp_path: Path) -> None:
    text = (
        HEAD
        + '        - {say: "{{ task"}\n'
        + "        - {call: a, result: {x: 1}}\n"
        + "  reviewer:\n    - when: '('\n      turns: []\n"
    )
    found = problems(tmp_path, text)
    assert [line.split(" ")[0] for line in found] == [":5:", ":6:", ":8:", ":9:"]
    assert "template '{{ task'" in found[0]
    assert "not call and result" in found[1]
    assert "not a regular expression" in found[2]
    assert "at least one is needed" in found[3]


@pytest.mark.parametrize(
    ("turn", "problem"),
    [
        ("{cal: x}", "unknown key `cal`; did you mean `call`?"),
        ("{}", "needs `say`, `call`, `calls` or `result`"),
        ("{say: x, id: a}", "belong to a `call`"),
        ("{say: x, retries: 2}", "`retries` belongs to `call` or `calls`"),
        ("{say: x, times: 2}", "`times` belongs to `misbehave`"),
        ("{misbehave: 529, times: 2}", "needs `say`, `call`, `calls` or `result`"),
        ("{say: x, misbehave: bad_arguments}", "needs a `call`"),
        ("{say: x, misbehave: 418}", "401, 429, 500 or 529"),
        ("{calls: [{call: a__x}, {call: b__x}]}", "share the id 'x'"),
        ("{calls: []}", "at least one is needed"),
        ("{result: 3}", "a mapping, or a template that yields one"),
        ("{say: x, delay_s: -1}", "greater than or equal to 0"),
    ],
)
def test_a_turn_that_makes_no_sense_is_refused(turn: str, problem: str, tmp_path: Path) -> None:
    (found,) = problems(tmp_path, f"{HEAD}        - {turn}\n")
    assert found.startswith(":5: ")
    assert problem in found


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "name: test\nagents: [1\n")
    assert found.startswith(":3: not valid YAML: ")


def test_yaml_cannot_build_python_objects(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "name: !!python/object/apply:os.getcwd []\n")
    assert "could not determine a constructor" in found


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"absent\.yaml: No such file"):
        load(tmp_path / "absent.yaml")

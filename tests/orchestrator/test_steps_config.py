"""What a playbook by steps may say: everything wrong with one is said when it loads, on its line."""

from pathlib import Path

import pytest
from flotilla_orchestrator.config.config import ConfigError
from flotilla_orchestrator.config.files import load

HELPER = "---\nname: helper\ndescription: Helps.\ntools: [mcp__desk__look]\n---\nHelp.\n"
PLAYBOOK = """\
name: case
description: A case.
inputs: {type: object, properties: {ticket_id: {type: string}}}
steps:
  - {id: look, worker: helper, task: "Look at {{ inputs.ticket_id }}."}
  - {id: find, worker: helper, task: "{{ task }}", output: {type: object, properties: {owner: {type: string}}}}
  - {id: judge, worker: helper, needs: [look, find], task: "{{ steps.look.summary }} {{ steps.find.output.owner }}"}
  - {id: sign-off, approve: "Send {{ steps.find.status }}?", needs: [judge], expires_hours: 2}
  - {id: send, worker: helper, needs: [sign-off], task: "{{ steps['sign-off'].summary }}", on_error: continue}
result: {owner: "{{ steps.find.output.owner }}"}
output: {type: object}
"""


def problems(folder: Path, playbook: str) -> list[str]:
    write(folder, playbook)
    with pytest.raises(ConfigError) as caught:
        load(folder)
    return [str(problem).removeprefix(f"{folder}/playbooks/case.yaml:") for problem in caught.value.problems]


def write(folder: Path, playbook: str) -> None:
    files = {
        "fleet.yaml": "servers: {desk: {command: [desk]}}\n",
        "workers/helper.md": HELPER,
        "playbooks/case.yaml": playbook,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def test_the_team_of_a_playbook_by_steps_is_the_workers_of_its_steps(tmp_path: Path) -> None:
    write(tmp_path, PLAYBOOK)
    config = load(tmp_path)
    assert config.notes == ()
    assert [worker.name for worker in config.team(config.playbooks["case"])] == ["helper"]
    assert config.servers(config.playbooks["case"]) == ["desk"]


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("steps:", "lead: helper\nsteps:", "1: give either `lead` (a worker) or `steps`"),
        ("{id: find, worker: helper", "{id: find, worker: helpr", "6: there is no worker `helpr`; did you mean"),
        ("{id: find", "{id: look", "6: the id look is taken by another step; ids are unique"),
        ("{id: find", "{id: Find", "6: `steps.1.id`: string should match pattern"),
        ("[look, find]", "[look, fnd]", "7: there is no step `fnd`; did you mean `find`?"),
        (
            "{id: look, worker: helper",
            "{id: look, needs: [sign-off], worker: helper",
            "5: steps need each other in a circle: look → sign-off → judge → look",
        ),
        ("{id: look,", "{id: look, needs: [look],", "5: steps need each other in a circle: look → look"),
        ("inputs.ticket_id }}.", "inputs.ticket }}.", "5: `inputs.ticket` is no input of the playbook case; did you"),
        ("{{ task }}", "{{ task }", "6: `steps.1.task`: template '{{ task }'"),
        ("{{ task }}", "{{ tsk }}", "6: `tsk` is nothing to read here; did you mean `task`?"),
        ("{{ task }}", "{{ lookups.x }}", "6: `lookups.x` is no lookup that case has made by then"),
        (
            "{{ task }}",
            "{{ steps.look.summary }}",
            "6: `steps.look` need not be done by then: name it in `needs` of fi",
        ),
        ("{{ task }}", "{{ steps | length }}", "6: `steps`: name a step and what to read of it: `steps.ID.summary`"),
        ("steps.look.summary", "steps.lok.summary", "7: `steps.lok` is no step of case; did you mean `look`?"),
        ("steps.look.summary", "steps.look.sumary", "7: `steps.look.sumary`: a step has no `sumary`; did you mean"),
        ("steps.look.summary", "steps.look.output", "7: `steps.look.output`: look has no `output` in its step; read"),
        ("steps['sign-off']", "steps.sign-off", "9: `steps.sign`: name a step and what to read of it"),
        (
            'output.owner }}"}\n  - {id: s',
            'output.ownr }}"}\n  - {id: s',
            "7: `steps.find.output.ownr` is not in the `output` of find; did you mean `owner`?",
        ),
        (
            'result: {owner: "{{ steps.find.output.owner }}"}\n',
            "",
            "10: nothing gives this: add `result`, or an `output`",
        ),
        (
            '{{ steps.find.output.owner }}"}\noutput',
            '{{ steps.nobody.output }}"}\noutput',
            "10: `steps.nobody` is no step",
        ),
        ('task: "{{ task }}", ', "", "6: `steps.1`: `worker` and `task` go together"),
        ("expires_hours: 2", "worker: helper", "8: `steps.3`: give either `worker` and `task`, or `approve`"),
        ("expires_hours: 2", "on_error: retry", "8: `steps.3`: a step with `approve` has no `output` and is not tried"),
        ("on_error: continue", "expires_hours: 2", "9: `steps.4`: `expires_hours` goes with `approve`"),
        (
            "on_error: continue",
            "on_error: retri",
            "9: `steps.4.on_error`: input should be 'fail', 'continue' or 'retry'",
        ),
        ("on_error: continue", "on_eror: retry", "9: unknown key `steps.4.on_eror`; did you mean `on_error`?"),
    ],
)
def test_what_is_wrong_with_a_step_is_said_on_its_line(tmp_path: Path, right: str, wrong: str, problem: str) -> None:
    assert right in PLAYBOOK
    (said, *_) = problems(tmp_path, PLAYBOOK.replace(right, wrong))
    assert said.startswith(problem)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("", "1: `output` is required"),
        ("output: {type: object}\nresult: {a: b}\n", "1: `result` goes with `steps`; a lead gives the `output` itself"),
    ],
)
def test_a_playbook_with_a_lead_names_its_output_and_makes_no_result(tmp_path: Path, more: str, problem: str) -> None:
    assert problems(tmp_path, f"name: case\ndescription: A case.\nlead: helper\n{more}") == [problem]


def test_delegation_from_a_step_is_as_deep_as_the_limit_allows(tmp_path: Path) -> None:
    write(tmp_path, PLAYBOOK)
    (tmp_path / "workers" / "helper.md").write_text(HELPER.replace("tools:", "delegates: [deep]\ntools:"))
    (tmp_path / "workers" / "deep.md").write_text(HELPER.replace("helper", "deep"))
    (tmp_path / "fleet.yaml").write_text("servers: {desk: {command: [desk]}}\nlimits: {delegation_depth: 1}\n")
    assert {worker.name for worker in load(tmp_path).team(load(tmp_path).playbooks["case"])} == {"helper", "deep"}
    (tmp_path / "workers" / "deep.md").write_text(
        HELPER.replace("helper", "deep").replace("tools:", "delegates: [end]\ntools:")
    )
    (tmp_path / "workers" / "end.md").write_text(HELPER.replace("helper", "end"))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert caught.value.problems[0].line == 5
    assert "delegation from helper goes 2 deep" in caught.value.problems[0].message

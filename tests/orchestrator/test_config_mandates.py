"""What the files say that mandates are made of: bounds, scopes and their lookups, rules."""

from pathlib import Path

import pytest
from support.config_folder import CASE, FLEET, HELPER, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("bounds", "problem"),
    [
        ("{desk: {ticket_id: {const: '{{ inputs.ticket_id }}'}}}", None),
        (
            "{desk: {ticket_id: {const: '{{ inputs.ticket }}'}}}",
            "`inputs.ticket` is no input of the playbook case; did you mean `ticket_id`?",
        ),
        ("{desk: {ticket_id: {type: txt}}}", "not a JSON Schema at type"),
        ("{desk: {ticket_id: {const: '{{ inputs.ticket_id'}}}", "`bounds`: template '{{ inputs.ticket_id'"),
        ("{desk: {ticket_id: t_1}}", "the bound of `ticket_id` must be a JSON Schema"),
        ("{dsk: {ticket_id: {const: t_1}}}", "bounds for `dsk`, of which helper has no tool; did you mean `desk`?"),
    ],
)
def test_bounds_are_schemas_filled_from_the_playbooks_inputs(folder: Folder, bounds: str, problem: str | None) -> None:
    folder.write("playbooks/case.yaml", CASE + "inputs: {type: object, properties: {ticket_id: {type: string}}}\n")
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", f"bounds: {bounds}\n---\nHelp"))
    if problem is None:
        assert "desk" in folder.load().workers["helper"].bounds
        return
    (said,) = folder.problems()
    assert said.startswith("workers/helper.md:5: ")
    assert problem in said


LOOKUPS = """\
inputs: {type: object, properties: {ticket_id: {type: string}}}
lookups:
  ticket: {tool: mcp__desk__look, arguments: {ticket_id: "{{ inputs.ticket_id }}"}}
  account: {tool: mcp__desk__look, arguments: {account_id: "{{ lookups.ticket.account_id }}"}}
scope:
  desk: {customer_id: "{{ lookups.account.customer_id }}"}
"""


def test_a_scope_may_come_from_lookups_and_a_later_one_from_an_earlier_one(folder: Folder) -> None:
    folder.write("playbooks/case.yaml", CASE + LOOKUPS)
    playbook = folder.load().playbooks["case"]
    assert list(playbook.lookups) == ["ticket", "account"]
    assert playbook.scope == {"desk": {"customer_id": "{{ lookups.account.customer_id }}"}}


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("desk: {cust", "dsk: {cust", "10: there is no server `dsk`; did you mean `desk`?"),
        ("desk: {cust", "other: {cust", "10: no worker of case has a tool of `other`"),
        (
            "lookups.account.customer",
            "lookups.acount.customer",
            "10: `lookups.acount` is no lookup that case has made by then; did you mean `account`?",
        ),
        (
            "lookups.ticket.account",
            "lookups.account.account",
            "8: `lookups.account` is no lookup that case has made by then; known: ticket",
        ),
        ("inputs.ticket_id", "inputs.ticket", "7: `inputs.ticket` is no input of the playbook case; did you mean"),
        ("{tool: mcp__desk__look, arguments: {ti", "{tool: look, arguments: {ti", "7: `look` is no MCP tool"),
        (
            "{tool: mcp__desk__look, arguments: {ti",
            "{tool: mcp__dsk__look, arguments: {ti",
            "7: there is no server `dsk`",
        ),
        ("lookups.account.customer_id }}", "lookups.account.customer_id", "10: `scope.desk.customer_id`: template"),
        ('"{{ lookups.account.customer_id }}"', "5", "10: `scope.desk.customer_id`: input should be a valid string"),
    ],
)
def test_a_scope_or_lookup_that_cannot_be_filled_is_said_with_its_line(
    folder: Folder, right: str, wrong: str, problem: str
) -> None:
    folder.write("fleet.yaml", FLEET + "  other: {command: [other]}\n")
    assert right in LOOKUPS
    folder.write("playbooks/case.yaml", CASE + LOOKUPS.replace(right, wrong))
    (said,) = folder.problems()
    assert said.startswith(f"playbooks/case.yaml:{problem}")


def test_a_bound_that_reads_a_lookup_needs_a_playbook_that_makes_it(folder: Folder) -> None:
    bounds = "bounds: {desk: {customer_id: {const: '{{ lookups.account.customer_id }}'}}}"
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", f"{bounds}\n---\nHelp"))
    assert folder.problems() == ["workers/helper.md:5: `lookups.account` is no lookup that case has made by then"]
    folder.write("playbooks/case.yaml", CASE + LOOKUPS)
    assert folder.load().notes == ()


def test_a_rule_names_known_inputs_and_says_when_it_is_for_no_tool(folder: Folder) -> None:
    folder.write("playbooks/case.yaml", CASE + "inputs: {type: object, properties: {environment: {type: string}}}\n")
    folder.write(
        "fleet.yaml",
        FLEET
        + "rules:\n"
        + "  - {when: {environment: production}, tools: [mcp__desk__f*], effect: approve}\n"
        + "  - {tools: [mcp__k8s__*], effect: deny}\n",
    )
    config = folder.load()
    assert [str(note).removeprefix(f"{folder.path}/") for note in config.notes] == [
        "fleet.yaml:5: note: no worker has a tool that this rule is for: mcp__k8s__*"
    ]
    (approve, _) = config.fleet.rules
    assert approve.matches("mcp__desk__fix")
    assert not approve.matches("mcp__desk__look")
    folder.write("fleet.yaml", FLEET + "rules:\n  - {when: {enviroment: x}, tools: [mcp__desk__f*], effect: allow}\n")
    assert folder.problems() == ["fleet.yaml:4: `rules.0.effect`: input should be 'approve' or 'deny'"]
    folder.write("fleet.yaml", FLEET + "rules:\n  - {when: {enviroment: x}, tools: [mcp__desk__f*], effect: deny}\n")
    assert folder.problems() == [
        "fleet.yaml:4: `when.enviroment` is no input of any playbook; did you mean `environment`?"
    ]


def test_what_needs_a_mandate_is_refused_for_a_server_with_an_authorization_of_its_own(folder: Folder) -> None:
    folder.write(
        "fleet.yaml",
        "servers:\n  desk: {url: 'https://desk.example/mcp', headers: {authorization: 'Bearer ${DESK_TOKEN}'}}\n"
        + "rules:\n  - {tools: [mcp__desk__fix], effect: deny}\n",
    )
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "bounds: {desk: {id: {const: t_1}}}\n---\nHelp"))
    folder.write("playbooks/case.yaml", CASE + "scope: {desk: {customer_id: cust_1}}\n")
    why = "need mandates, and `desk` gets none: fleet.yaml gives it an Authorization of its own"
    assert folder.problems() == [
        f"fleet.yaml:4: rules {why}",
        f"workers/helper.md:5: bounds {why}",
        f"playbooks/case.yaml:5: scopes {why}",
    ]

"""What a playbook says of the calls after its runs is checked when the config loads."""

from pathlib import Path

import pytest
from support.config_folder import CASE, FLEET, Folder
from support.stage import Stage, answer

AFTER = "after:\n  note:\n    tool: mcp__desk__note\n    arguments: {{text: {text}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_call_reads_what_there_is_once_the_run_has_its_result(folder: Folder) -> None:
    text = '"{{ task }} {{ inputs.name }} {{ output.answer }} {{ run.id }} {{ run.ended_at }}"'
    folder.write("playbooks/case.yaml", CASE + AFTER.format(text=text))
    config = folder.load()
    playbook = config.playbooks["case"]
    assert playbook.after["note"].tool_name == "note"
    assert config.servers(playbook) == ["desk"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ steps.a.summary }}", "`steps` is nothing to read here"),
        ("{{ run.cost }}", "`run.cost`: of the run there is id and ended_at"),
        ("{{ output.anwser }}", "`output.anwser` is not in the `output` of the playbook; did you mean `answer`?"),
        ("{{ lookups.ticket.id }}", "`lookups.ticket` is no lookup that case has made by then"),
        ("{{ inputs.nmae }}", "`inputs.nmae` is no input of the playbook case; did you mean `name`?"),
    ],
)
def test_a_call_that_reads_what_is_not_there_is_named(folder: Folder, text: str, said: str) -> None:
    case = CASE.replace("{type: object}", "{type: object, properties: {answer: {type: string}}}")
    case += "inputs: {type: object, properties: {name: {type: string}}}\n"
    folder.write("playbooks/case.yaml", case + AFTER.format(text=f'"{text}"'))
    (problem,) = folder.problems()
    assert said in problem


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("Bash", "`Bash` is no MCP tool; name it as mcp__SERVER__TOOL"),
        ("mcp__dsk__note", "there is no server `dsk`; did you mean `desk`?"),
    ],
)
def test_a_call_names_a_tool_of_a_server_of_the_fleet(folder: Folder, tool: str, said: str) -> None:
    folder.write("playbooks/case.yaml", CASE + AFTER.format(text="x").replace("mcp__desk__note", tool))
    (problem,) = folder.problems()
    assert said in problem


def test_a_call_is_made_only_within_a_mandate(folder: Folder) -> None:
    folder.write("fleet.yaml", FLEET + "  notes: {url: 'http://x/mcp', headers: {Authorization: x}}\n")
    folder.write("playbooks/case.yaml", CASE + AFTER.format(text="x").replace("mcp__desk__note", "mcp__notes__note"))
    (problem,) = folder.problems()
    assert "calls after a run need mandates, and `notes` gets none" in problem


async def test_a_tool_that_its_server_does_not_have_ends_the_run_before_the_first_model_call(stage: Stage) -> None:
    stage.worker("lead", "close_ticket")
    stage.playbook["after"] = {"closed": {"tool": "mcp__desk__close_tickets"}}
    played = await stage.play({"lead": [answer("done")]})
    assert played.error["code"] == "missing_tools"
    assert "case: the server desk has no tool `close_tickets`; did you mean `close_ticket`?" in played.error["message"]
    assert played.requests == []

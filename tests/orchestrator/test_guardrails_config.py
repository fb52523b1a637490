"""What the files of guardrails say, and what is said of those that say it wrong."""

from pathlib import Path

import pytest
from support.config_folder import CASE, Folder

CALL = "name: rail\ndescription: A rail.\napplies_to: call\ntools: [mcp__desk__fix]\neffect: deny\n"
TEXT = "name: rail\ndescription: A rail.\napplies_to: output\neffect: redact\ndetect: [card]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_guardrails_about_whole_tools_are_rules_of_the_fleet(folder: Folder) -> None:
    folder.write("guardrails/deny.yaml", CALL)
    folder.write("guardrails/ask.yaml", CALL.replace("name: rail", "name: asked").replace("deny", "ask"))
    folder.write("guardrails/text.yaml", TEXT.replace("name: rail", "name: cards"))
    config = folder.load()
    assert [guardrail.name for guardrail in config.guardrails] == ["asked", "rail", "cards"]
    assert [(rule.tools, rule.effect) for rule in config.rules] == [
        (["mcp__desk__fix"], "approve"),
        (["mcp__desk__fix"], "deny"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (CALL.replace("deny", "allow"), "5: `effect`: input should be 'deny', 'redact' or 'ask'"),
        (CALL.replace("tools: [mcp__desk__fix]\n", ""), "1: `applies_to: call` needs `tools`"),
        (CALL.replace("mcp__desk__fix", "mcp__dsk__*"), "4: there is no server `dsk`; did you mean `desk`?"),
        (CALL + "when: {enviroment: x}\n", "6: `when.enviroment` is no input of any playbook; did you mean"),
        (CALL + "arguments: {id: {patern: x}}\n", "6: `arguments`: patern is no keyword of a bound"),
        (CALL.replace("deny", "ask") + "patterns: [x]\n", "1: `ask` has every call of its `tools` wait"),
        (CALL.replace("deny", "redact"), "1: say what is looked for: `patterns`, `detect`"),
        (TEXT.replace("[card]", "[cards]"), "5: `detect.0`: there is no detector `cards`; did you mean `card`?"),
        (TEXT + "patterns: ['(']\n", "6: `patterns.0`: not a regular expression: missing )"),
        (TEXT + "patterns: ['x*']\n", "6: `patterns.0`: matches the empty text, and so every text"),
        (TEXT + "tools: [mcp__desk__fix]\n", "1: `tools` and `arguments` go with `applies_to: call`"),
        (TEXT + "patern: [x]\n", "6: unknown key `patern`; did you mean `patterns`?"),
    ],
)
def test_a_guardrail_that_would_not_hold_is_said_with_its_line(folder: Folder, text: str, problem: str) -> None:
    folder.write("playbooks/case.yaml", CASE + "inputs: {type: object, properties: {environment: {type: string}}}\n")
    folder.write("guardrails/rail.yaml", text)
    (said,) = folder.problems()
    assert said.startswith(f"guardrails/rail.yaml:{problem}")


def test_what_a_mandate_has_to_say_needs_a_server_that_gets_mandates(folder: Folder) -> None:
    folder.write(
        "fleet.yaml",
        "servers:\n  desk: {url: 'https://desk.example/mcp', headers: {authorization: 'Bearer ${DESK_TOKEN}'}}\n",
    )
    folder.write("guardrails/rail.yaml", CALL)
    (said,) = folder.problems()
    assert said.startswith("guardrails/rail.yaml:4: guardrails that mandates say need mandates, and `desk` gets none")
    folder.write("guardrails/rail.yaml", CALL + "patterns: [x]\n")
    assert folder.load().guardrails[0].in_mandate is False

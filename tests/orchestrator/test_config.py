"""A config folder is read as a whole: all that is wrong with it at once, each with file, line and what to do."""

from pathlib import Path

import pytest
from flotilla_orchestrator.config.config import ConfigError
from flotilla_orchestrator.config.files import load
from flotilla_orchestrator.config.limits import Limits
from support.config_folder import CASE, FLEET, HELPER, LEAD, Folder

SHIPPED = Path(__file__).parents[2] / "configs"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_shipped_folder_is_sound_and_has_nothing_to_say() -> None:
    config = load(SHIPPED)
    assert config.notes == ()
    assert next(worker.name for worker in config.team(config.playbooks["billing-dispute"])) == "case-manager"


def test_only_the_refund_clerk_of_the_shipped_fleet_can_move_money() -> None:
    workers = load(SHIPPED).workers.values()
    assert [worker.name for worker in workers if "mcp__billing__issue_refund" in (worker.tools or [])] == [
        "refund-clerk"
    ]
    assert {worker.name for worker in workers if not worker.tools} == {"case-manager"}


def test_everything_wrong_in_every_file_is_said_at_once(folder: Folder) -> None:
    folder.write("fleet.yaml", "servers:\n  desk:\n    comand: [desk-server]\nmodels: {defualt: sonnet}\n")
    folder.write("workers/lead.md", LEAD.replace("[helper]", "[helpr]"))
    folder.write("workers/helper.md", HELPER.replace("mcp__desk__fix", "mcp__dsk__fix, Bash"))
    folder.write("workers/other.md", "---\nname: other\ndescription: x\nmodle: haiku\n---\nWork.\n")
    folder.write("playbooks/case.yaml", CASE.replace("lead: lead", "lead: laed"))
    assert folder.problems() == [
        "fleet.yaml:3: unknown key `servers.desk.comand`; did you mean `command`?",
        "fleet.yaml:4: unknown key `models.defualt`; did you mean `default`?",
        "workers/helper.md:4: `mcp__dsk__fix`: there is no server `dsk`; did you mean `desk`?",
        "workers/helper.md:4: `Bash` is no MCP tool; name each one as mcp__SERVER__TOOL",
        "workers/lead.md:5: there is no worker `helpr`; did you mean `helper`?",
        "workers/other.md:4: unknown key `modle`; did you mean `model`?",
        "playbooks/case.yaml:3: there is no worker `laed`; did you mean `lead`?",
    ]


def test_a_broken_worker_is_reported_once_and_not_again_where_it_is_named(folder: Folder) -> None:
    folder.write("workers/helper.md", HELPER.replace("tools:", "tolls:"))
    assert folder.problems() == ["workers/helper.md:4: unknown key `tolls`; did you mean `tools`?"]


def test_tools_may_be_a_list_or_a_comma_string(folder: Folder) -> None:
    listed = HELPER.replace("mcp__desk__look, mcp__desk__fix", "\n  - mcp__desk__look\n  - mcp__desk__fix")
    folder.write("workers/listed.md", listed.replace("name: helper", "name: listed"))
    workers = folder.load().workers
    assert workers["listed"].tools == workers["helper"].tools == ["mcp__desk__look", "mcp__desk__fix"]


def test_a_tool_of_a_list_is_reported_on_its_own_line(folder: Folder) -> None:
    folder.write("workers/helper.md", HELPER.replace("mcp__desk__look, mcp__desk__fix", "\n  - mcp__desk__look\n  - x"))
    assert folder.problems() == ["workers/helper.md:6: `x` is no MCP tool; name each one as mcp__SERVER__TOOL"]


def test_a_worker_without_tools_is_granted_none_and_says_so(folder: Folder) -> None:
    folder.write("workers/helper.md", "---\nname: helper\ndescription: Helps.\n---\nHelp.\n")
    config = folder.load()
    assert config.workers["helper"].tools is None
    assert [str(note).removeprefix(f"{folder.path}/") for note in config.notes] == [
        "workers/helper.md:2: note: helper names no `tools` and is granted none (write `tools: []` if that is meant)"
    ]


def test_a_name_is_taken_once(folder: Folder) -> None:
    folder.write("workers/second.md", HELPER)
    assert folder.problems() == [
        "workers/second.md:2: the name helper is taken by helper.md; names are unique",
    ]


def test_a_key_that_is_there_twice_does_not_hide_what_else_is_wrong(folder: Folder) -> None:
    folder.write("playbooks/case.yaml", CASE + "name: other\nlimits: {max_turns: many}\n")
    assert folder.problems() == [
        "playbooks/case.yaml:1: `name` is there twice; the second is on line 5",
        "playbooks/case.yaml:6: `limits.max_turns`: input should be a valid integer",
    ]


def test_delegation_in_a_circle_is_refused_and_shown(folder: Folder) -> None:
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "delegates: [lead]\n---\nHelp"))
    assert folder.problems() == [
        "workers/helper.md:5: delegation goes in a circle: helper → lead → helper",
        "workers/lead.md:5: delegation goes in a circle: lead → helper → lead",
    ]


def test_delegation_deeper_than_the_limit_is_refused(folder: Folder) -> None:
    folder.write("fleet.yaml", FLEET + "limits: {delegation_depth: 1}\n")
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "delegates: [deepest]\n---\nHelp"))
    folder.write("workers/deepest.md", HELPER.replace("helper", "deepest"))
    assert folder.problems() == [
        "playbooks/case.yaml:3: delegation from lead goes 2 deep; limits.delegation_depth is 1"
    ]


def test_a_case_that_would_come_back_by_transfer_or_fallback_goes_in_a_circle_too(folder: Folder) -> None:
    folder.write("workers/lead.md", LEAD.replace("delegates: [helper]", "transfers: [helper]"))
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "fallback: lead\n---\nHelp"))
    assert folder.problems() == [
        "workers/helper.md:5: delegation goes in a circle: helper → lead → helper",
        "workers/lead.md:5: delegation goes in a circle: lead → helper → lead",
    ]


def test_nobody_is_its_own_fallback(folder: Folder) -> None:
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "fallback: helper\n---\nHelp"))
    assert folder.problems() == ["workers/helper.md:5: delegation goes in a circle: helper → helper"]


def test_transfers_and_fallbacks_name_workers_that_are_there(folder: Folder) -> None:
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "fallback: laed\ntransfers: [zoologist]\n---\nHelp"))
    assert folder.problems() == [
        "workers/helper.md:5: there is no worker `laed`; did you mean `lead`?",
        "workers/helper.md:6: there is no worker `zoologist`; known: helper, lead",
    ]


def test_transfers_count_for_the_depth_and_a_fallback_stands_where_its_worker_does(folder: Folder) -> None:
    folder.write("fleet.yaml", FLEET + "limits: {delegation_depth: 1}\n")
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "fallback: other\n---\nHelp"))
    other = HELPER.replace("helper", "other")
    folder.write("workers/other.md", other)
    config = folder.load()
    assert [worker.name for worker in config.team(config.playbooks["case"])] == ["lead", "helper", "other"]
    folder.write("workers/other.md", other.replace("---\nHelp", "transfers: [deepest]\n---\nHelp"))
    folder.write("workers/deepest.md", HELPER.replace("helper", "deepest"))
    assert folder.problems() == [
        "playbooks/case.yaml:3: delegation from lead goes 2 deep; limits.delegation_depth is 1"
    ]


def test_attempts_and_the_breaker_have_bounds(folder: Folder) -> None:
    folder.write("fleet.yaml", FLEET + "limits: {breaker: {failures: 0, opens: 3}}\n")
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "attempts: 9\n---\nHelp"))
    assert [problem.split(": ", 1)[1].split(";")[0] for problem in folder.problems()] == [
        "`limits.breaker.failures`: input should be greater than or equal to 1",
        "unknown key `limits.breaker.opens`",
        "`attempts`: input should be less than or equal to 5",
    ]


def test_a_large_team_that_all_knows_each_other_is_checked_without_walking_every_path(folder: Folder) -> None:
    names = [f"worker-{n}" for n in range(30)]
    for name in names:
        others = ", ".join(other for other in names if other != name)
        text = HELPER.replace("name: helper", f"name: {name}").replace("---\nHelp", f"delegates: [{others}]\n---\nHelp")
        folder.write(f"workers/{name}.md", text)
    assert len(folder.problems()) == len(names)


def test_a_server_that_is_started_here_cannot_have_an_authorization_of_its_own(folder: Folder) -> None:
    folder.write("fleet.yaml", "servers:\n  desk: {command: [desk], headers: {Authorization: x}}\n")
    (said,) = folder.problems()
    assert "gets mandates; leave out the header Authorization" in said


def test_resources_are_uris(folder: Folder) -> None:
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "resources: [knowledge://policies/*]\n---\nHelp"))
    assert folder.load().workers["helper"].resources == ["knowledge://policies/*"]
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", "resources: [policies/*]\n---\nHelp"))
    (said,) = folder.problems()
    assert said.startswith("workers/helper.md:5: `resources.0`: string should match pattern")


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("{type: objct}", "`output`: must be a JSON Schema with `type: object`"),
        ("{type: object, required: answer}", "`output`: not a JSON Schema at required"),
        (
            "{type: object, properties: {a: {example: 1}}}",  # the Claude CLI would not start
            "`output`: results are JSON Schema of draft 7, which has no `example` at properties/a",
        ),
        ("{type: object, $schema: 'https://json-schema.org/draft/2020-12/schema'}", "`output`: not a JSON Schema of"),
    ],
)
def test_an_output_must_be_a_json_schema_of_an_object(folder: Folder, schema: str, problem: str) -> None:
    folder.write("playbooks/case.yaml", CASE.replace("{type: object}", schema))
    (said,) = folder.problems()
    assert said.startswith(f"playbooks/case.yaml:4: {problem}")


def test_an_example_must_be_valid_input(folder: Folder) -> None:
    folder.write(
        "playbooks/case.yaml",
        CASE
        + "inputs: {type: object, properties: {n: {type: integer}}}\nexample:\n  task: Go.\n  inputs:\n    n: one\n",
    )
    assert folder.problems() == ["playbooks/case.yaml:9: `example.inputs`: 'one' is not of type 'integer'"]


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ("{command: [x], url: 'http://x/mcp'}", "give either `command` (started here) or `url` (runs elsewhere)"),
        ("{}", "give either `command` (started here) or `url` (runs elsewhere)"),
        ("{command: desk-server}", "`servers.desk.command`: input should be a valid list"),
        ("{url: 'ftp://x'}", "`servers.desk.url`: string should match pattern"),
    ],
)
def test_a_server_is_a_command_or_an_address(folder: Folder, server: str, problem: str) -> None:
    folder.write("fleet.yaml", f"servers:\n  desk: {server}\n")
    (said,) = folder.problems()
    assert said.startswith("fleet.yaml:2: ")
    assert problem in said


def test_the_name_of_the_orchestrators_own_server_is_taken(folder: Folder) -> None:
    folder.write("fleet.yaml", FLEET + "  gate: {command: [gate]}\n")
    (said,) = folder.problems()
    assert said.startswith("fleet.yaml:3: the name gate is taken")


def test_a_limit_that_is_not_named_keeps_its_default(folder: Folder) -> None:
    folder.write("fleet.yaml", FLEET + "limits: {run: {max_turns: 3}}\n")
    limits = folder.load().fleet.limits
    assert limits.run == Limits(max_turns=3, budget_usd=1, wall_clock_s=300)
    assert limits.session == Limits(max_turns=12, budget_usd=0.25, wall_clock_s=120)


@pytest.mark.parametrize("limit", ["max_turns: 0", "max_turns: true", "budget_usd: -1", "wall_clock_s: .inf"])
def test_a_limit_that_limits_nothing_is_refused(folder: Folder, limit: str) -> None:
    folder.write("workers/helper.md", HELPER.replace("---\nHelp", f"limits: {{{limit}}}\n---\nHelp"))
    (said,) = folder.problems()
    assert said.startswith("workers/helper.md:5: `limits.")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("playbooks/x.yaml", 'name: "x\n', "playbooks/x.yaml:2: not YAML: "),
        ("playbooks/x.yaml", "", "playbooks/x.yaml:1: must be a mapping of keys to values"),
        ("playbooks/x.yaml", "a: &a [*a]\n", "playbooks/x.yaml:1: nests too deeply"),
        ("playbooks/x.yaml", "a: 2026-13-01\n", "playbooks/x.yaml:1: not YAML: month must be in 1..12"),
        ("playbooks/x.yaml", "a: !!python/object:os.system {}\n", "playbooks/x.yaml:1: not YAML: "),
        ("playbooks/x.yml", CASE, "playbooks/x.yml:1: only files that end in `.yaml` are read here"),
        ("workers/x.md", "Just text.\n", "workers/x.md:1: a worker starts with front matter"),
        ("workers/x.md", "---\nname: x\ndescription: y\ntools: []\n---\n", "workers/x.md:6: `prompt`: "),
        ("workers/x.md", "---\nname: [x\n---\nText.\n", "workers/x.md:3: not YAML: "),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(folder: Folder, name: str, text: str, problem: str) -> None:
    folder.write(name, text)
    (said,) = folder.problems()
    assert said.startswith(problem)


def test_a_file_that_is_not_utf_8_says_so(folder: Folder) -> None:
    (folder.path / "workers" / "helper.md").write_bytes(HELPER.encode("utf-16"))
    assert folder.problems()[0].startswith("workers/helper.md:1: not UTF-8 text: ")


def test_windows_line_ends_and_rules_in_the_prompt_are_fine(folder: Folder) -> None:
    text = HELPER.replace("Help.\n", "Help.\n\n---\n\nAnd rest.\n").replace("\n", "\r\n")
    (folder.path / "workers" / "helper.md").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert folder.load().workers["helper"].prompt == "Help.\n\n---\n\nAnd rest."


def test_a_folder_without_a_fleet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"fleet\.yaml:1: there is no such file; name the folder with --configs"):
        load(tmp_path)

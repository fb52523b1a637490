"""Artifacts: what workers of a run write for each other, named in reports instead of pasted, within limits."""

import asyncio
import json
from typing import Any

import pytest
from flotilla_orchestrator.journal import artifacts
from flotilla_orchestrator.journal.journal import Journal
from support.commands import flotilla
from support.stage import Played, Stage, answer, delegate

pytestmark = pytest.mark.cli_double


def write(name: str, text: str, id: str = "write", **more: Any) -> dict[str, Any]:
    return {"call": "mcp__gate__write_artifact", "id": id, "arguments": {"name": name, "text": text, **more}}


def read(name: str, id: str = "read", **more: Any) -> dict[str, Any]:
    return {"call": "mcp__gate__read_artifact", "id": id, "arguments": {"name": name, **more}}


def team(stage: Stage) -> None:
    """A lead and two workers, all of whom share artifacts."""
    stage.worker("lead", delegates=["finder", "writer"], artifacts=True)
    stage.worker("finder", artifacts=True)
    stage.worker("writer", artifacts=True)


async def written(stage: Stage, played: Played) -> dict[str, str]:
    """Name to worker and text, from the journal."""
    async with await Journal.open(stage.home, read_only=True) as journal:
        found = await journal.query(artifacts.listed, played.run.run_id)
        run_id = played.run.run_id
        return {one.name: f"{one.worker}: {await journal.query(artifacts.read, run_id, one.name)}" for one in found}


@pytest.mark.real_cli
async def test_a_report_names_what_was_written_and_the_lead_and_others_read_it(stage: Stage) -> None:
    team(stage)
    played = await stage.play(
        {
            "lead": [
                delegate(("finder", "find")),
                read("{{ results.delegate.reports[0].artifacts[0].name }}"),
                delegate(("writer", "use findings.md"), id="second"),
                answer("{{ results.read.text }}; {{ results.second.reports[0].report }}"),
            ],
            "finder": [write("findings.md", "three charges"), {"say": "see findings.md"}],
            "writer": [
                read("findings.md", offset=6, limit=2),
                {"say": "{{ last.text }} of {{ last.characters }}, next {{ last.next_offset }}"},
            ],
        }
    )
    assert played.run.output == {"answer": "three charges; ch of 13, next 8"}
    assert await written(stage, played) == {"findings.md": "finder: three charges"}


async def test_a_worker_without_artifacts_sees_no_tool_for_them(stage: Stage) -> None:
    stage.worker("lead")
    played = await stage.play({"lead": [write("a.md", "x"), answer("{{ errors.write }}")]})
    assert {tool for request in played.requests for tool in request.tools} == {"StructuredOutput"}
    assert await written(stage, played) == {}


async def test_the_same_text_again_is_unchanged_and_another_is_replaced_only_on_request(stage: Stage) -> None:
    stage.worker("lead", artifacts=True)
    played = await stage.play(
        {
            "lead": [
                write("a.md", "one"),
                write("a.md", "one", id="again"),
                write("a.md", "two", id="other"),
                write("a.md", "two", id="replaced", replace=True),
                answer(
                    "{{ results.write.status }} {{ results.again.status }} {{ errors.other.code }} "
                    "{{ results.replaced.status }}"
                ),
            ]
        }
    )
    assert played.run.output == {"answer": "written unchanged artifact_exists replaced"}
    assert await written(stage, played) == {"a.md": "lead: two"}


async def test_nobody_replaces_what_another_worker_wrote(stage: Stage) -> None:
    team(stage)
    played = await stage.play(
        {
            "lead": [
                delegate(("finder", "find")),
                write("a.md", "mine now", replace=True),
                answer("{{ errors.write.code }}: {{ errors.write.message }}"),
            ],
            "finder": [write("a.md", "found"), {"say": "a.md"}],
        }
    )
    assert played.run.output == {"answer": "not_your_artifact: a.md was written by finder; only finder may replace it."}
    assert await written(stage, played) == {"a.md": "finder: found"}


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("../etc/passwd", "x", "invalid_arguments"),
        ("", "x", "invalid_arguments"),
        ("a.md", "", "invalid_arguments"),
        ("a.md", "nul \0", "invalid_arguments"),
        ("a.md", "ä" * 6, "artifact_too_large"),
        ("c.md", "x", "artifacts_full"),
        ("b.md", "12345678", "artifacts_full"),
    ],
)
async def test_names_and_limits_are_checked_before_anything_is_kept(
    stage: Stage, name: str, text: str, code: str
) -> None:
    """The limits: 10 bytes each, 12 in all, 2 artifacts."""
    stage.fleet["limits"]["artifacts"] = {"bytes_each": 10, "bytes_all": 12, "count": 2}
    stage.worker("lead", artifacts=True)
    before = [write("a.md", "12345", id="a"), write("b.md", "12345", id="b")]
    tried = write(name, text, id="tried", **({"replace": True} if code == "artifacts_full" else {}))
    played = await stage.play({"lead": [*before, tried, answer("{{ errors.tried.code }}")]})
    assert played.run.output == {"answer": code}
    assert await written(stage, played) == {"a.md": "lead: 12345", "b.md": "lead: 12345"}


async def test_a_text_is_kept_as_the_artifact_and_not_again_in_the_trace(stage: Stage) -> None:
    stage.worker("lead", artifacts=True)
    played = await stage.play({"lead": [write("a.md", "a secret plan"), answer("done")]})
    assert played.span("write_artifact").attributes["arguments"] == {"name": "a.md", "text": "(13 characters)"}


async def test_an_artifact_that_is_not_there_is_an_error_with_those_that_are(stage: Stage) -> None:
    stage.worker("lead", artifacts=True)
    played = await stage.play(
        {"lead": [write("a.md", "x"), read("b.md"), answer("{{ errors.read.code }} {{ errors.read.suggestion }}")]}
    )
    assert played.run.output == {"answer": "unknown_artifact There are: a.md."}


async def test_a_worker_that_wrote_an_artifact_and_failed_is_tried_again(stage: Stage) -> None:
    """An artifact is no change that forbids it: the next attempt writes the same, or its own."""
    stage.worker("lead", delegates=["finder"])
    stage.worker("finder", artifacts=True)
    played = await stage.play(
        {
            "lead": [
                delegate(("finder", "find")),
                answer(
                    "{{ results.delegate.reports[0].status }} "
                    "{{ results.delegate.reports[0].artifacts | map(attribute='name') | join }}"
                ),
            ],
            "finder": [write("a.md", "x"), {"misbehave": 529, "times": 1, "say": "a.md"}],
        }
    )
    assert played.run.output == {"answer": "ok a.md"}


async def test_show_lists_a_runs_artifacts_and_prints_one_and_pruning_forgets_them(stage: Stage) -> None:
    stage.worker("lead", artifacts=True)
    played = await stage.play({"lead": [write("a.md", "# Findings\nfünf\n"), answer("done")]})

    def shown(*words: str) -> str:
        done = flotilla(stage.home, *words, "--configs", stage.configs)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "artifact: a.md · 17 bytes · lead" in await asyncio.to_thread(shown, "show")
    assert await asyncio.to_thread(shown, "show", "last", "--artifact", "a.md") == "# Findings\nfünf\n"
    (listed,) = json.loads(await asyncio.to_thread(shown, "show", "--json"))["artifacts"]
    assert (listed["name"], listed["bytes"], listed["worker"]) == ("a.md", 17, "lead")
    missing = await asyncio.to_thread(flotilla, stage.home, "show", "last", "--artifact", "b.md", "--json")
    assert missing.returncode == 2
    async with await Journal.open(stage.home) as journal:
        await journal.delete_run(played.run.run_id)
        assert await journal.query(artifacts.listed, played.run.run_id) == []

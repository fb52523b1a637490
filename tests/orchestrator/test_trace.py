"""`flotilla trace`: the tree for a terminal, and the page for a browser."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest
from flotilla_orchestrator.journal.journal import Journal, Kind, Run, Span, Status
from support.commands import flotilla
from support.stage import Stage, answer, call, delegate

pytestmark = pytest.mark.cli_double

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HOSTILE = "</script></style><img src=x onerror=alert(1)><!-- \"'`&"


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


DEFAULTS: Mapping[Kind, dict[str, Any]] = {
    "run": {"model": "claude"},
    "session": {"task": "Do it.", "model": "haiku"},
    "delegate": {"tool": "mcp__gate__delegate", "arguments": {}},
    "tool": {"tool": "mcp__desk__tool", "arguments": {}},
}


class Told:
    """A run told to a journal as it would have happened."""

    def __init__(self, journal: Journal, **fields: Any) -> None:
        self.journal = journal
        given: dict[str, Any] = {"playbook": "case", "model": "claude", "task": "Look.", "inputs": {}, **fields}
        self.run = Run("run_1", started_at=at(0), **given)

    async def span(
        self,
        parent: Span | None,
        kind: Kind,
        name: str,
        when: tuple[float, float | None],
        status: Status = "ok",
        /,
        *,
        turns: int = 0,
        cost_usd: float | None = None,
        **attributes: Any,
    ) -> Span:
        span = Span("run_1", parent and parent.span_id, kind, name, DEFAULTS[kind] | attributes)
        span.started_at, span.turns, span.cost_usd = at(when[0]), turns, cost_usd
        await self.journal.begin(span)
        span.status, span.ended_at = status, None if when[1] is None else at(when[1])
        await self.journal.change(span)
        return span

    async def __aenter__(self) -> "Told":
        self._error = self.run.error
        await self.journal.begin_run(self.run)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.run.error = self.run.error or self._error  # a run that begins has none
        await self.journal.end_run(self.run)


class Page(HTMLParser):
    """A page as a browser would read it: every tag is closed, and what may load or run is known."""

    VOID = ("meta", "br", "img", "link", "input")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self._open[-1:]:
            self.text.setdefault(tag, []).append(data)

    def attributes(self, name: str) -> Iterator[str]:
        return (value for _, attributes in self.tags for key, value in attributes.items() if key == name and value)

    def bars(self, kind: str) -> list[tuple[float, float]]:
        """x and width, in percent, of each bar whose link has that class."""
        inside, found = False, list[tuple[float, float]]()
        for tag, attributes in self.tags:
            if tag == "a":
                inside = kind in (attributes.get("class") or "").split()
            elif inside and tag == "rect" and attributes.get("class") == "bar":
                found.append(tuple(float(str(attributes[key]).rstrip("%")) for key in ("x", "width")))  # pyright: ignore[reportArgumentType]  # two of them
        return found


def page(home: Path, *arguments: str) -> Page:
    done = flotilla(home, "trace", *arguments, "--html", "-")
    assert done.returncode == 0, done.stderr
    return Page(done.stdout)


async def test_a_real_run_becomes_one_page_that_needs_nothing_else(stage: Stage) -> None:
    stage.worker("lead", delegates=["helper"])
    stage.worker("helper", "get_ticket")
    played = await stage.play(
        {
            "lead": [delegate(("helper", "one"), ("helper", "two")), answer("done")],
            "helper": [call("get_ticket", ticket_id="t_1"), {"say": "It is theirs."}],
        }
    )
    file = stage.folder / "run.html"
    done = flotilla(stage.home, "trace", played.run.run_id, "--html", file, "--json")
    assert json.loads(done.stdout) == {"run_id": played.run.run_id, "html": str(file)}
    shown = Page(file.read_text())
    assert len(shown.html) < 60_000
    assert len(shown.bars("session")) == 3
    assert len(shown.bars("tool")) == 2
    assert len(shown.bars("delegate")) == 1
    links, ids = set(shown.attributes("href")), list(shown.attributes("id"))
    assert len(ids) == len(set(ids))
    assert {f"#{id}" for id in ids} >= {link for link in links if link != "#s0"}, "every bar leads to its row"
    assert not list(shown.attributes("src"))
    assert all(link.startswith("#") for link in links)
    assert "http" not in shown.html.replace("http-equiv", "")


async def test_its_policy_lets_only_its_own_style_and_script_in(tmp_path: Path) -> None:
    import base64
    import hashlib

    async with await Journal.open(tmp_path) as journal, Told(journal) as told:
        await told.span(None, "run", "case", (0, 1))
    shown = page(tmp_path)
    (policy,) = [str(attributes["content"]) for _, attributes in shown.tags if "http-equiv" in attributes]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = shown.text[tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not list(shown.attributes("style")), "the policy would drop it"
    assert not [name for _, attributes in shown.tags for name in attributes if name.startswith("on")]


async def test_nothing_that_was_said_in_a_run_becomes_markup(tmp_path: Path) -> None:
    error = json.dumps({"code": HOSTILE, "message": HOSTILE, "suggestion": HOSTILE})
    approval = {"approval_id": "apr_1", "of": HOSTILE, "state": "rejected", "by": HOSTILE, "reason": HOSTILE}
    async with await Journal.open(tmp_path) as journal:
        fields = {"task": HOSTILE, "inputs": {HOSTILE: HOSTILE}, "playbook": HOSTILE, "output": {HOSTILE: [HOSTILE]}}
        async with Told(journal, **fields, error=json.loads(error)) as told:
            run = await told.span(None, "run", HOSTILE, (0, 9))
            lead = await told.span(run, "session", HOSTILE, (1, 9), "failed", task=HOSTILE, error=json.loads(error))
            said: dict[str, Any] = {
                "tool": HOSTILE,
                "arguments": {HOSTILE: HOSTILE},
                "error": error,
                "approval": approval,
            }
            await told.span(lead, "tool", HOSTILE, (2, 3), "denied", **said)
            await told.span(
                lead, "tool", "half", (3, 4), "failed", arguments={"text": "\ud800"}, error="\x00 " + HOSTILE
            )
    shown = page(tmp_path)
    assert not [tag for tag, _ in shown.tags if tag == "img"]
    assert [tag for tag, _ in shown.tags].count("script") == 1
    text = "".join(part for tag, parts in shown.text.items() if tag not in ("script", "style") for part in parts)
    assert text.count(HOSTILE) > 15
    assert not [name for _, attributes in shown.tags for name in attributes if name.startswith("on")]


async def test_an_error_is_told_with_its_code_message_and_suggestion(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal, Told(journal) as told:
        run = await told.span(None, "run", "case", (0, 9), "failed")
        error = {"code": "model_error", "message": "It does not answer.", "suggestion": "Try later.", "retryable": True}
        lead = await told.span(run, "session", "lead", (1, 9), "failed", error=error)
        await told.span(
            lead, "tool", "find", (2, 3), "failed", error='{"code": "not_found", "message": "No such ticket."}'
        )
        await told.span(lead, "tool", "find", (3, 4), "failed", error="cut off: {")
        told.run.status, told.run.error = "failed", error
    text = "".join("".join(parts) for parts in page(tmp_path).text.values())
    for said in ("model_error", "It does not answer.", "Try later.", "not_found", "No such ticket.", "cut off: {"):
        assert said in text


async def test_a_wait_for_a_person_is_hatched_and_says_who_decided(tmp_path: Path) -> None:
    approval = {"approval_id": "apr_1", "of": "245.00 USD", "state": "rejected", "by": "ada", "reason": "too much"}
    async with await Journal.open(tmp_path) as journal, Told(journal) as told:
        run = await told.span(None, "run", "case", (0, 100))
        lead = await told.span(run, "session", "lead", (0, 100))
        times = {"asked_at": at(20), "decided_at": at(80)}
        await told.span(lead, "tool", "issue_refund", (10, 90), "denied", approval=approval | times)
    shown = page(tmp_path)
    (pause,) = [attributes for _, attributes in shown.tags if attributes.get("class") == "pause"]
    assert (pause["x"], pause["width"]) == ("20.0%", "60.0%")
    assert "245.00 USD: rejected by ada, “too much”, waited 1 min 0 s" in shown.text["td"]
    tree = flotilla(tmp_path, "trace").stdout
    assert "245.00 USD: rejected by ada after 1 min 0 s" in tree


async def test_a_run_that_still_waits_shows_for_what(tmp_path: Path) -> None:
    approval = {"approval_id": "apr_1", "of": "245.00 USD", "state": "pending", "by": None}
    async with await Journal.open(tmp_path) as journal:
        told = Told(journal)
        await journal.begin_run(told.run)
        run = await told.span(None, "run", "case", (0, None), "running")
        lead = await told.span(run, "session", "lead", (1, None), "running")
        await told.span(lead, "tool", "issue_refund", (2, None), "waiting", approval=approval | {"asked_at": at(3)})
    assert any("245.00 USD: pending" in said for said in page(tmp_path).text["td"])
    assert "245.00 USD: waits for approval" in flotilla(tmp_path, "trace").stdout


@pytest.mark.parametrize("skew", [-3600, -1, 0.5, 3600])
async def test_spans_of_a_machine_whose_clock_is_wrong_stay_in_the_picture(tmp_path: Path, skew: float) -> None:
    async with await Journal.open(tmp_path) as journal, Told(journal) as told:
        run = await told.span(None, "run", "case", (0, 10))
        lead = await told.span(run, "session", "lead", (0.1, 10))
        there = await told.span(lead, "session", "helper", (1 + skew, 2 + skew))
        await told.span(there, "tool", "find", (1.5 + skew, 1.2 + skew))
    shown = page(tmp_path)
    bars = shown.bars("session") + shown.bars("tool")
    assert len(bars) == 3
    assert all(x >= 0 and width >= 0 and x + width <= 100.01 for x, width in bars)
    assert shown.bars("session")[0] == (1.0, 99.0), "the others keep their place"
    tree = flotilla(tmp_path, "trace").stdout
    assert re.search(r"case.*\n.*lead.*\n.*helper.*\n.*find", tree)


async def test_a_page_of_a_hundred_spans_has_a_lane_for_each_agent_and_no_bars_that_overlap(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal, Told(journal) as told:
        run = await told.span(None, "run", "case", (0, 60))
        lead = await told.span(run, "session", "lead", (0, 60), cost_usd=0.5, turns=3)
        for number in range(10):
            worker = await told.span(lead, "session", f"worker-{number}", (number, 50 + number))
            for step in range(9):
                await told.span(worker, "tool", "find", (number + step, number + step + 3))
    shown = page(tmp_path)
    assert len(shown.bars("session")) == 11
    places = [
        (float(str(one["y"])), float(str(one["x"]).rstrip("%")), float(str(one["width"]).rstrip("%")))
        for tag, one in shown.tags
        if tag == "rect" and one.get("class") == "bar"
    ]
    assert len(places) == 101
    for (y, x, width), (next_y, next_x, _) in zip(sorted(places), sorted(places)[1:], strict=False):
        assert y != next_y or x + width <= next_x


async def test_what_a_session_cost_is_unknown_rather_than_nothing(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal, Told(journal) as told:
        run = await told.span(None, "run", "case", (0, 2))
        await told.span(run, "session", "lead", (0, 2), "failed")
    assert "cost unknown" in page(tmp_path).text["td"]
    assert "0 turns · 0 → 0 tokens · cost unknown · 2.0 s" in flotilla(tmp_path, "trace").stdout


async def test_a_run_without_spans_has_a_page(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal, Told(journal):
        pass
    assert "Look." in page(tmp_path).text["div"]


async def test_a_page_that_cannot_be_written_is_an_error_without_a_trace(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal, Told(journal):
        pass
    done = flotilla(tmp_path, "trace", "--html", tmp_path / "nowhere" / "run.html", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "os_error")
    both = flotilla(tmp_path, "trace", "--html", "-", "--json")
    assert cast("dict[str, Any]", json.loads(both.stdout))["error"]["code"] == "invalid_arguments"

"""What a mandate does not name does not exist: its answers are, but for the name, those of what is not there."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ... import __version__
from ..caller import Caller, shown
from ..harness import Harness
from ..process import Line
from ..proofs import FULL
from ..rule import rule, rule_for_each
from ..server import Sample
from ..tokens import granted
from ..values import like, odd_names
from ..wire import ERAS, LEGACY, META, MODERN, encoded, headers, raw, request

NOWHERE = "granted_but_not_there"
APPROVING = {"get_approval", "list_approvals", "decide_approval"}
DECISION = {"approval_id": "apr_" + "0" * 20, "decision": "approve"}

# What comes with a call besides its name; a tool that exists could show in how any of it is refused.
GIVEN: dict[str, dict[str, Any]] = {
    "no arguments": {"arguments": None},
    "null arguments": {"arguments": {}},
    "wrong arguments": {"arguments": {"customer_id": [1], "approval_id": 7, "": None}},
    "arguments that are no object": {"arguments": [1]},
    "a number that is no JSON": {"arguments": {"customer_id": raw("Infinity")}},
    "a progress token": {"arguments": {}, "_meta": {**META, "progressToken": "p"}},
    "a version": {"arguments": {}, "_meta": {**META, "fastmcp": {"version": __version__}}},
    "a task": {"arguments": {}, "task": {"ttl": 1000}},
    "an answer to a question": {"arguments": {}, "requestState": "s", "inputResponses": {"ok": {"action": "accept"}}},
}
HEADERS: tuple[dict[str, bytes], ...] = ({}, {"Mcp-Param-customer_id": b"c_1"}, {"Mcp-Param-Region": b"eu"})


def twin(name: str) -> str:
    """A name of the same length that nothing has."""
    return name[:-1] + ("q" if name[-1] != "q" else "p")


def all_but(harness: Harness, *left_out: str) -> Caller:
    """A worker with every tool but these; it is granted one that is not there, and decisions, which none can be."""
    details = [granted(tool) for tool in harness.tools if tool not in left_out]
    return harness.worker(*details, NOWHERE, "request_approval", "get_approval", "decide_approval", "list_approvals")


async def answers_alike(
    caller: Caller,
    name: str,
    given: Mapping[str, Any],
    era: str,
    more: Mapping[str, bytes] | None = None,
    method: str = "tools/call",
) -> bytes:
    """Require that `name` and its twin answer the same bytes but for the name; they are returned."""
    answers: list[bytes] = []
    for said in (name, twin(name)):
        content = encoded(request(said, method=method, **given))
        lines = headers(era, said, method, token=caller.token) | dict(more or {})
        answers.append((await caller.exchange(content, lines)).replace(said.encode(), b"NAME"))
    assert answers[0] == answers[1], f"{name} shows that it is there: {answers}"
    return answers[0]


async def unnamed(caller: Caller, name: str, given: Mapping[str, Any], era: str) -> tuple[object, ...]:
    """An answer without the name and its length, for names of other lengths."""
    answer = await caller.send(encoded(request(name, **given)), headers(era, name, token=caller.token))
    return answer.status, answer.headers, answer.text.replace(name, "NAME")


def variants(harness: Harness, sample: Sample) -> dict[str, dict[str, Any]]:
    """Everything that may come with a call; the sample's own arguments are what a tool that is there would take."""
    return {**GIVEN, "good arguments": {"arguments": harness.fresh(sample)}}


@rule_for_each(lambda server: server.tools)
async def a_hidden_tool_answers_like_an_absent_one(harness: Harness, sample: Sample) -> None:
    """Byte for byte over HTTP, in both protocol eras, whatever comes with the call; and it is in no list."""
    caller = all_but(harness, sample.tool)
    async with harness.unchanged():
        for era in ERAS:
            assert sample.tool not in shown(await caller.listed(era=era)), f"{sample.tool} is listed"
            for number, given in enumerate(variants(harness, sample).values()):
                if FULL or not number:
                    assert await unnamed(caller, sample.tool, given, era) == await unnamed(caller, "zz", given, era)
                for more in _headers(era, number):
                    answer = await answers_alike(caller, sample.tool, given, era, more)
                    assert b"HTTP/1.1 200" in answer or b'"error"' in answer, answer[:300]


def _headers(era: str, number: int) -> Sequence[dict[str, bytes]]:
    """Which headers come with that variant of a call: all in a full run, otherwise one after the other."""
    if era != MODERN:
        return HEADERS[:1]
    return HEADERS if FULL else [HEADERS[number % len(HEADERS)]]


@rule_for_each(lambda server: server.tools)
async def names_like_that_of_a_tool_are_unknown(harness: Harness, sample: Sample) -> None:
    """Whatever some layer might take for the name of a tool, granted or not, is no tool."""
    callers, good = [all_but(harness), all_but(harness, sample.tool)], harness.fresh(sample)
    position = list(harness.tools).index(sample.tool)
    async with harness.unchanged():
        for number, name in enumerate(odd_names(sample.tool) if FULL or not position else like(sample.tool)):
            for caller in callers if FULL else [callers[(number + position) % 2]]:
                era = MODERN if name.isprintable() and name.isascii() and name.strip() == name != "" else LEGACY
                answer = await caller.call(name, good, use="odd", era=era)
                assert answer.code in ("unknown_tool", "protocol"), f"{name!r}: {answer.text[:300]}"


@rule
async def what_is_granted_and_not_there_answers_like_any_other(harness: Harness) -> None:
    """And so does deciding, which no mandate can grant."""
    caller = all_but(harness)
    for era in ERAS:
        for name in (NOWHERE, "decide_approval", "list_approvals"):
            for given in (GIVEN["no arguments"], GIVEN["arguments that are no object"], {"arguments": DECISION}):
                await answers_alike(caller, name, given, era)


@rule
async def an_approver_sees_what_approving_takes_and_nothing_else(harness: Harness) -> None:
    approver = harness.approver()
    expected = APPROVING if harness.server.changes else set[str]()
    async with harness.unchanged():
        for era in ERAS:
            assert set(shown(await approver.listed(era=era))) == expected
            assert await approver.listed("resources/list", era) == []
            for sample in harness.server.tools:
                given = {"arguments": harness.fresh(sample)}
                assert b"unknown_tool" in await answers_alike(approver, sample.tool, given, era)
            assert b"unknown_tool" in await answers_alike(approver, "request_approval", GIVEN["null arguments"], era)


@rule
async def a_list_has_exactly_what_is_granted(harness: Harness) -> None:
    asking = {"request_approval", "get_approval"} if harness.server.changes else set[str]()
    for era in ERAS:
        assert await harness.worker().listed(era=era) == [], "a mandate over nothing sees something"
        assert set(shown(await all_but(harness).listed(era=era))) == set(harness.tools) | asking
        for tool in harness.tools:
            assert list(shown(await harness.worker(tool).listed(era=era))) == [tool]
        for kind in ("resources/list", "resources/templates/list", "prompts/list"):
            assert await all_but(harness).listed(kind, era) == [], f"{kind} shows what was not granted"


@rule
async def hidden_resources_and_prompts_answer_like_absent_ones(harness: Harness) -> None:
    """In both eras; what the server has is granted to nobody but who is named it."""
    scheme = harness.resources[0].partition("://")[0] if harness.resources else "file"
    absent = f"{scheme}://granted/but-not-there"
    readable = [{"type": "mcp_resource", "uri": uri} for uri in (absent, *harness.resources[:1])]
    caller = harness.worker(*readable, {"type": "mcp_prompt", "prompt": "granted"})
    for era in ERAS:
        for method, names in {
            "resources/read": [*harness.resources[1:5], absent, f"{scheme}://private", "file:///etc/passwd"],
            "prompts/get": ["granted", "hidden", "../x"],
        }.items():
            for name in names:
                for given in (GIVEN["no arguments"], GIVEN["a progress token"]):
                    answer = await answers_alike(caller, name, given, era, method=method)
                    assert b'"error"' in answer, f"{method} {name} is answered"


@rule
async def a_granted_resource_is_read_and_others_are_not(harness: Harness) -> None:
    """A server without resources has none to show."""
    for uri in harness.resources[:3]:
        caller = harness.worker({"type": "mcp_resource", "uri": uri})
        for era in ERAS:
            assert [item["uri"] for item in await caller.listed("resources/list", era)] == [uri]
            assert (await caller.call(uri, None, era=era, method="resources/read")).result["contents"]
            for other in [other for other in harness.resources if other != uri][:5]:
                beyond = f"{uri}/../{other.partition('://')[2]}"
                for hidden in (other, beyond, other.replace("://", "://./"), f"{other}?", f"{uri}/%2e%2e/x"):
                    answer = await caller.call(hidden, None, era=era, method="resources/read")
                    assert not answer.result, f"{hidden}: {answer.text[:300]}"


@rule
async def a_hidden_tool_answers_like_an_absent_one_over_stdio(harness: Harness) -> None:
    """A process of its own for a mandate that has one tool: all others are not there, in both eras."""
    first, *others = harness.server.tools
    token = harness.worker(first.tool, NOWHERE, subject="stdio").token
    hidden = [(name, "tools/call") for name in (*(other.tool for other in others), "decide_approval")]
    hidden += [(uri, "resources/read") for uri in (*harness.resources[:3], "file:///etc/passwd")]
    hidden += [("hidden", "prompts/get")]
    for era in ERAS:
        async with harness.on_stdio(token, era) as line:
            for given in variants(harness, first).values():
                absent = {
                    method: await _unnamed_on(line, era, "nothing://at", method, given)
                    for method in {method for _, method in hidden}
                }
                for name, method in hidden:
                    named = (name, twin(name)) if FULL else (name,)
                    answers = {await _unnamed_on(line, era, said, method, given) for said in named}
                    assert answers == {absent[method]}, f"{name} shows that it is there: {answers}"
            answer = await _unnamed_on(line, era, first.tool, "tools/call", {"arguments": harness.fresh(first)})
            assert "content" in json.loads(answer)["result"], f"the tool that is granted does not answer: {answer}"
            assert "unknown_tool" not in answer, answer


async def _unnamed_on(line: Line, era: str, name: str, method: str, given: Mapping[str, Any]) -> str:
    """An answer over stdio without the name."""
    return (await line(encoded(_as_era(request(name, method=method, **given), era)))).replace(name, "NAME")


def _as_era(said: dict[str, Any], era: str) -> dict[str, Any]:
    """Over stdio the modern era's envelope is what tells the eras apart."""
    if era == MODERN:
        return said
    kept = {key: value for key, value in said["params"]["_meta"].items() if key not in META}
    return {**said, "params": {**said["params"], "_meta": kept}}


RULES = [
    a_hidden_tool_answers_like_an_absent_one,
    names_like_that_of_a_tool_are_unknown,
    what_is_granted_and_not_there_answers_like_any_other,
    an_approver_sees_what_approving_takes_and_nothing_else,
    a_list_has_exactly_what_is_granted,
    hidden_resources_and_prompts_answer_like_absent_ones,
    a_granted_resource_is_read_and_others_are_not,
    a_hidden_tool_answers_like_an_absent_one_over_stdio,
]

"""The fixture `rehearsal` and the recorder with the real Agent SDK and CLI, without the orchestrator."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest
import yaml
from claude_agent_sdk import ClaudeAgentOptions, Message, ResultMessage, query
from flotilla_rehearsal.pytest_plugin import PlayScript
from flotilla_rehearsal.recorder import Recorder
from flotilla_rehearsal.script import ScriptError, ScriptSource
from flotilla_rehearsal.secret_filter import SecretFilter

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "test_order_status.py"
GREETING: Mapping[str, object] = {
    "name": "greeting",
    "agents": {"greeter": [{"turns": [{"say": "Hello, {{ task | regex('I am (\\w+)') }}."}]}]},
}
ONLY_REHEARSAL = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("flotilla_") and name.split(".")[0] != "flotilla_rehearsal":
            raise ModuleNotFoundError(f"{name} is not installed")

sys.meta_path.insert(0, Absent())
"""


async def session(prompt: str, env: Mapping[str, str], system: str = "You greet.") -> list[Message]:
    options = ClaudeAgentOptions(env=dict(env), tools=[], setting_sources=[], system_prompt=system)
    return [message async for message in query(prompt=prompt, options=options)]


def said(messages: list[Message]) -> str | None:
    (result,) = [message for message in messages if isinstance(message, ResultMessage)]
    return result.result


def test_the_example_of_the_page_passes_where_nothing_else_of_flotilla_is_installed(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    (tmp_path / "conftest.py").write_text(ONLY_REHEARSAL)
    options = [
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
    ]  # no plugin but the fixture's is needed
    command = [sys.executable, "-m", "pytest", *options, EXAMPLE.name]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0 and "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_example_of_the_page_is_the_file() -> None:
    page = (ROOT / "docs" / "rehearsal.md").read_text(encoding="utf-8")
    assert f"```python\n{EXAMPLE.read_text(encoding='utf-8').rstrip()}\n```" in page


def test_credentials_providers_and_proxies_of_the_process_do_not_lead_a_session_elsewhere(
    rehearsal: PlayScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
    ):
        monkeypatch.setenv(name, "1")
    for name in ("ANTHROPIC_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    model = rehearsal(GREETING)
    assert said(asyncio.run(session("I am Ada.", model.environment(tmp_path)))) == "Hello, Ada."
    (request,) = model.requests
    assert (request.agent, request.task, request.answer) == ("greeter", "I am Ada.", "turn 1")
    assert "You greet." in request.system


def test_a_recorded_session_is_played_again(rehearsal: PlayScript, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recording.yaml", SecretFilter(["tangerine"]))
    recorded = recorder.session("first", agent="greeter", task="I am tangerine.")
    for message in asyncio.run(session("I am tangerine.", rehearsal(GREETING).environment(tmp_path))):
        recorded.add(message)
    recorder.write("greeting", "a test")
    again = rehearsal(tmp_path / "recording.yaml")
    assert said(asyncio.run(session("I am Grace.", again.environment(tmp_path)))) == "Hello, [removed:variable]."


@pytest.mark.parametrize("form", ["text", "file", "data"])
def test_a_script_may_be_text_a_file_or_data(form: str, rehearsal: PlayScript, tmp_path: Path) -> None:
    text = yaml.safe_dump(dict(GREETING))
    (tmp_path / "greeting.yaml").write_text(text)
    forms: dict[str, ScriptSource] = {"text": text, "file": tmp_path / "greeting.yaml", "data": GREETING}
    assert ask(rehearsal(forms[form]).url("greeter")) == "Hello, Ada."


async def test_it_answers_tests_with_an_event_loop_of_their_own_and_several_scripts_at_once(
    rehearsal: PlayScript,
) -> None:
    models = [rehearsal(GREETING), rehearsal({**GREETING, "agents": {"other": [{"turns": [{"say": "Bye."}]}]}})]
    answers = await asyncio.gather(
        asyncio.to_thread(ask, models[0].url("greeter")), asyncio.to_thread(ask, models[1].url("other"))
    )
    assert answers == ["Hello, Ada.", "Bye."]
    assert [len(model.requests) for model in models] == [1, 1]


@pytest.mark.parametrize("script", ["name: x\nagents: {}\nturn: 1\n", {"name": "x", "agents": {}, "turn": 1}])
def test_a_script_with_a_problem_is_refused_before_anything_runs(script: ScriptSource, rehearsal: PlayScript) -> None:
    with pytest.raises(ScriptError, match="unknown key `turn`; did you mean `turns`"):
        rehearsal(script)


def test_the_environment_names_an_agent_where_there_are_several(rehearsal: PlayScript, tmp_path: Path) -> None:
    turns = [{"turns": [{"say": "Hi."}]}]
    model = rehearsal({"name": "two", "agents": {"lead": turns, "worker": turns}})
    assert model.environment(tmp_path, "worker")["ANTHROPIC_BASE_URL"] == model.url("worker")
    with pytest.raises(ValueError, match="known: lead, worker"):
        model.environment(tmp_path)
    with pytest.raises(ValueError, match="did you mean `worker`"):
        model.environment(tmp_path, "wroker")


def ask(url: str) -> str:
    """The model's answer to a client that is no CLI."""
    messages = [{"role": "user", "content": "I am Ada."}]
    with httpx2.Client(trust_env=False) as client:  # a proxy of the machine is not for loopback
        answer = client.post(f"{url}/v1/messages", json={"model": "m", "max_tokens": 9, "messages": messages})
    return answer.json()["content"][0]["text"]
